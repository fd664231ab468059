/** The rules of the fence. Each takes files and returns one sentence for each violation; none reads the disk. */
import { posix } from 'node:path';
import {
  readHeader,
  readImports,
  readMentions,
  UNREADABLE,
  type Import,
  type SourceFile,
} from './read-source';
import { CLOSED_TO, LIGHT_UNITS, OPEN_DOORS, ROOMS, unitOf } from './rooms';

export type Rule = (files: readonly SourceFile[]) => string[];

const at = (file: SourceFile, line: number) => `${file.path}:${line}`;

function eachImport(
  files: readonly SourceFile[],
  judge: (file: SourceFile, found: Import) => string | undefined,
): string[] {
  return files.flatMap((file) =>
    readImports(file).flatMap((found) => {
      const complaint = judge(file, found);
      return complaint ? [`${at(file, found.line)} imports ${found.specifier}: ${complaint}`] : [];
    }),
  );
}

const isDoorOpen = (from: string, target: string) =>
  OPEN_DOORS.some((door) => door.from === from && target.replace(/\.(ts|js|css)$/, '') === door.to);

export const importsStayBelow: Rule = (files) =>
  eachImport(files, (file, { specifier, target, kind }) => {
    const from = unitOf(file.path);
    if (!from) return undefined;
    if (specifier === UNREADABLE) return 'the target must be a literal, so that it can be checked';
    if (target === undefined) return undefined;
    const to = unitOf(target);
    if (!to) return 'outside src, workers and models';
    if (to.name === from.name || isDoorOpen(from.name, target)) return undefined;
    if (to.name === 'models') return undefined;
    if (to.name === 'workers')
      return from.name === 'state' && kind === 'url'
        ? undefined
        : 'a worker is only started, with new URL(..., import.meta.url), and only by state';
    if (to.tier === undefined && !ROOMS.has(to.name))
      return `nothing imports ${to.name === 'app' ? 'the files beside the rooms' : to.name}`;
    const light = LIGHT_UNITS[from.name];
    if (light)
      return light.includes(to.name)
        ? undefined
        : `${from.name} reaches ${to.name} only through rpc (open to it: ${light.join(', ')})`;
    if (CLOSED_TO[from.name]?.includes(to.name)) return `${to.name} is closed to ${from.name}`;
    if (from.tier === undefined || to.tier === undefined || to.tier < from.tier) return undefined;
    return to.tier === from.tier
      ? `${from.name} and ${to.name} are both on tier ${to.tier}, and same-tier rooms never import each other`
      : `${from.name} (tier ${from.tier}) may not import ${to.name} (tier ${to.tier})`;
  });

export const roomsAreKnown: Rule = (files) => {
  const unknown = new Set<string>();
  for (const { path } of files) {
    const room = /^src\/lib\/([^/]+)\//.exec(path)?.[1];
    if (room !== undefined && !ROOMS.has(room)) unknown.add(room);
  }
  return [...unknown].map((room) => `src/lib/${room} is no room of the layout`);
};

/** A package or a family of APIs that belongs to one place. */
interface Ownership {
  readonly what: string;
  readonly owners: readonly string[];
  readonly packages?: RegExp;
  readonly mentions?: (name: string, isCall: boolean) => boolean;
  /** Files elsewhere that may, with the reason. */
  readonly except?: Readonly<Record<string, string>>;
}

function onlyOwners({ what, owners, packages, mentions, except = {} }: Ownership): Rule {
  const isOwned = (file: SourceFile) => {
    const unit = unitOf(file.path);
    return !unit || owners.includes(unit.name) || file.path in except;
  };
  const owner = owners.join(' and ');
  return (files) =>
    files
      .filter((file) => !isOwned(file))
      .flatMap((file) => [
        ...readImports(file)
          .filter(({ specifier }) => packages?.test(specifier))
          .map(
            ({ specifier, line }) => `${at(file, line)} imports ${specifier}: only ${owner} may`,
          ),
        ...readMentions(file)
          .filter(({ name, isCall }) => mentions?.(name, isCall))
          .map(({ name, line }) => `${at(file, line)} mentions ${name}: ${what} is ${owner}'s`),
      ]);
}

/** Methods that only WebGPU's own objects have; `Gpu` has `createBuffer` too, so that one is told by its object. */
const GPU_METHODS = new Set(
  `requestAdapter requestDevice createShaderModule createComputePipeline createComputePipelineAsync
   createBindGroup createBindGroupLayout createPipelineLayout createCommandEncoder createQuerySet
   createTexture createSampler beginComputePass dispatchWorkgroups dispatchWorkgroupsIndirect
   writeBuffer copyBufferToBuffer mapAsync getMappedRange pushErrorScope popErrorScope
   onSubmittedWorkDone importExternalTexture`.split(/\s+/),
);
const GPU_TYPES =
  /^GPU(Device|Adapter|Queue|ComputePipeline|ShaderModule|BindGroup|BindGroupLayout|CommandEncoder|QuerySet|BufferUsage|MapMode|ShaderStage)$/;

export const onlyGpuTouchesTheGpu = onlyOwners({
  what: 'the WebGPU API',
  owners: ['gpu'],
  mentions: (name, isCall) => {
    if (name === 'navigator.gpu' || GPU_TYPES.test(name)) return true;
    const [owner, method] = name.split('.');
    if (method === undefined || !isCall) return false;
    return GPU_METHODS.has(method) || (method === 'createBuffer' && /device$/i.test(owner));
  },
  except: {
    'workers/engine.ts': 'hands navigator.gpu to the gpu room',
    'src/cli/gpu.ts': "hands Dawn's entry to the gpu room",
  },
});

export const onlyStorageTouchesTheDisk = onlyOwners({
  what: "the browser's storage",
  owners: ['storage'],
  packages: /^idb(\/|$)/,
  mentions: (name) =>
    name === 'indexedDB' ||
    name.endsWith('.indexedDB') ||
    name === 'navigator.storage' ||
    name === 'IDBDatabase',
});

const FETCHERS = new Set(['fetch', 'XMLHttpRequest', 'WebSocket', 'EventSource', 'importScripts']);
const GLOBALS = new Set(['globalThis', 'self', 'window']);

export const onlyHubReachesOut = onlyOwners({
  what: 'the network',
  owners: ['hub', 'service-worker'],
  mentions: (name) => {
    const [owner, member] = name.split('.');
    if (member === undefined) return FETCHERS.has(owner);
    return (GLOBALS.has(owner) && FETCHERS.has(member)) || name === 'navigator.sendBeacon';
  },
  except: {
    'src/lib/engine/bundled.ts': 'reads the bundled models and samples, same origin only',
  },
});

export const onlyInferenceRunsOnnx = onlyOwners({
  what: 'onnxruntime',
  owners: ['inference'],
  packages: /^(onnxruntime-(web|common)|@huggingface\/transformers)(\/|$)/,
});

export const onlyPagesKnowSvelte = onlyOwners({
  what: 'the page',
  owners: ['state', 'ui', 'routes', 'service-worker', 'app'],
  packages: /^(svelte(\/|$)|\$app\/|\$env\/|\$service-worker$)/,
});

const VAGUE_FOLDERS = new Set(['utils', 'util', 'common', 'helpers', 'helper', 'types', 'misc']);
const KEBAB = /^[a-z0-9]+(-[a-z0-9]+)*$/;
const PASCAL = /^[A-Z][A-Za-z0-9]*$/;
/** Names that a framework or the browser gives: `+page.svelte`, `[id]`, `(group)`, `.d.ts`. */
const ROUTE_FOLDER = /^(\[{1,2}[^\]]+\]{1,2}|\([^)]+\))$/;

export const foldersHaveOwners: Rule = (files) => {
  const folders = new Set(files.flatMap(({ path }) => posix.dirname(path).split('/')));
  return [...folders]
    .filter((folder) => VAGUE_FOLDERS.has(folder))
    .map((folder) => `a folder is called ${folder}: a helper lives with its first owner`);
};

export const namesFollowTheStyle: Rule = (files) =>
  files.flatMap(({ path }) => {
    const complaints: string[] = [];
    const parts = path.split('/');
    const file = parts.pop() ?? '';
    for (const folder of parts)
      if (!KEBAB.test(folder) && !ROUTE_FOLDER.test(folder))
        complaints.push(`${path}: the folder ${folder} is not kebab-case`);
    if (file.startsWith('+')) return complaints;
    const [stem] = file.split('.');
    if (file.endsWith('.svelte')) {
      if (!PASCAL.test(stem)) complaints.push(`${path}: a component is named in PascalCase`);
    } else if (!KEBAB.test(stem) && file !== 'README.md')
      complaints.push(`${path}: a file is named in kebab-case`);
    return complaints;
  });

export const LONGEST_FILE = 400;

export const longFilesSayWhy: Rule = (files) =>
  files.flatMap((file) => {
    const lines = file.text.replace(/\n$/, '').split('\n').length;
    if (lines <= LONGEST_FILE || /\blong\b/i.test(readHeader(file))) return [];
    return [
      `${file.path} has ${lines} lines: split it, or let its header say why it is long (${LONGEST_FILE})`,
    ];
  });

export const LONGEST_README = 25;

/** Needs the rooms' README files among `files`. */
export const roomsHaveReadmes: Rule = (files) => {
  const rooms = new Set(files.flatMap(({ path }) => /^src\/lib\/([^/]+)\//.exec(path)?.[1] ?? []));
  return [...rooms].flatMap((room) => {
    const readme = files.find(({ path }) => path === `src/lib/${room}/README.md`);
    if (!readme) return [`src/lib/${room} has no README.md`];
    const lines = readme.text.replace(/\n$/, '').split('\n').length;
    return lines > LONGEST_README
      ? [`${readme.path} has ${lines} lines, at most ${LONGEST_README} are read`]
      : [];
  });
};
