/**
 * The fence: what a room may import and touch, how things are named and how long they grow. The tree
 * itself is held against every rule, and every rule has controls: files that break it and files that
 * come close and do not.
 */
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { readImports, readTree, type SourceFile } from './read-source';
import * as rules from './rules';

const root = fileURLToPath(new URL('../..', import.meta.url));
const sources = readTree(root, ['src', 'workers'], /\.(ts|js|svelte|wgsl|css|md)$/);
const everything = [
  ...sources,
  ...readTree(root, ['tests', 'scripts'], /\.(ts|js|mjs|svelte|wgsl)$/),
];

const file = (path: string, text = ''): SourceFile => ({ path, text });

interface Control {
  readonly title: string;
  readonly breaks?: SourceFile;
  readonly keeps?: SourceFile;
  /** Files that stand beside the two. */
  readonly beside?: readonly SourceFile[];
}

function hold(title: string, rule: rules.Rule, tree: readonly SourceFile[], controls: Control[]) {
  describe(title, () => {
    test('holds in the tree', () => {
      expect(rule(tree)).toEqual([]);
    });
    for (const { title, breaks, keeps, beside = [] } of controls) {
      if (breaks)
        test(`control: refuses ${title}`, () => {
          const complaints = rule([breaks, ...beside]);
          expect(complaints).toHaveLength(1);
        });
      if (keeps)
        test(`control: lets pass ${title}`, () => {
          expect(rule([keeps, ...beside])).toEqual([]);
        });
    }
  });
}

describe('the tree', () => {
  test('was found', () => {
    expect(sources.length).toBeGreaterThan(50);
    expect(sources.some(({ path }) => path === 'src/lib/gpu/device.ts')).toBe(true);
  });
});

describe('imports are read in every form', () => {
  const forms: [string, string, string, string | undefined][] = [
    ['static', "import { a } from '../gpu';", 'static', 'src/lib/gpu'],
    ['side effect', "import '$lib/gpu/device';", 'static', 'src/lib/gpu/device'],
    ['type only', "import type { A } from '$lib/gpu';", 'type', 'src/lib/gpu'],
    ['re-export', "export * from './matmul';", 'static', 'src/lib/kernels/matmul'],
    ['type re-export', "export type { A } from '../gpu';", 'type', 'src/lib/gpu'],
    ['type query', "let a: import('../gpu').Gpu;", 'type', 'src/lib/gpu'],
    ['dynamic', "const a = await import('$models/catalogue');", 'dynamic', 'models/catalogue'],
    ['dynamic, unreadable', 'await import(name);', 'dynamic', undefined],
    ['raw text', "import A from './a.wgsl?raw';", 'static', 'src/lib/kernels/a.wgsl'],
    [
      'worker',
      "new Worker(new URL('../../../workers/engine.ts', import.meta.url));",
      'url',
      'workers/engine.ts',
    ],
    ['glob', "import.meta.glob('../training/*.ts');", 'glob', 'src/lib/training/*.ts'],
    ['package', "import { openDB } from 'idb';", 'static', undefined],
  ];
  test.each(forms)('%s', (_title, text, kind, target) => {
    expect(readImports(file('src/lib/kernels/x.ts', text))).toMatchObject([{ kind, target }]);
  });
  test('in a component: both scripts and the markup', () => {
    const text = `<script module lang="ts">\nimport '$lib/a';\n</script>
<script lang="ts">\nimport type { B } from '$lib/b';\n</script>
{#await import('./C.svelte')}{/await}`;
    const found = readImports(file('src/lib/ui/X.svelte', text));
    expect(found.map(({ target, line }) => [target, line])).toEqual([
      ['src/lib/a', 2],
      ['src/lib/b', 5],
      ['src/lib/ui/C.svelte', 7],
    ]);
  });
  test('not in comments and strings', () => {
    const text = "// import '../gpu';\n/* import('../gpu') */ const a = \"import '../gpu'\";";
    expect(readImports(file('src/lib/kernels/x.ts', text))).toEqual([]);
  });
});

hold('rooms import only from lower tiers', rules.importsStayBelow, sources, [
  {
    title: 'a higher tier',
    breaks: file('src/lib/gpu/x.ts', "import { matmul } from '../kernels/matmul';"),
    keeps: file('src/lib/kernels/x.ts', "import { Gpu } from '../gpu';"),
  },
  {
    title: 'a higher tier through an alias',
    breaks: file('src/lib/decoder/x.ts', "import { train } from '$lib/training';"),
    keeps: file('src/lib/training/x.ts', "import { Decoder } from '$lib/decoder';"),
  },
  {
    title: 'a type of a higher tier',
    breaks: file('src/lib/config/x.ts', "import type { Gpu } from '../gpu';"),
    keeps: file('src/lib/config/x.ts', "import type { A } from './errors';"),
  },
  {
    title: 'a room of the same tier',
    breaks: file('src/lib/training/x.ts', "import { chat } from '../inference';"),
    keeps: file('src/lib/training/x.ts', "import { b } from './batch';"),
  },
  {
    title: 'the engine from state, and state from the engine',
    breaks: file('src/lib/engine/x.ts', "import { app } from '../state/app.svelte';"),
    keeps: file('src/lib/engine/x.ts', "import type { EngineApi } from '../rpc/engine-api';"),
  },
  {
    title: 'a heavy room from a page',
    breaks: file(
      'src/routes/train/+page.svelte',
      "<script>import { Gpu } from '$lib/gpu';</script>",
    ),
    keeps: file(
      'src/routes/train/+page.svelte',
      "<script>import Plot from '$lib/ui/Plot.svelte';</script>",
    ),
  },
  {
    title: 'a heavy room from a component, even its type',
    breaks: file('src/lib/ui/X.svelte', "<script>import type { A } from '$lib/training';</script>"),
    keeps: file('src/lib/ui/X.svelte', "<script>import { A } from '$lib/state/a.svelte';</script>"),
  },
  {
    title: 'a module of a heavy room for which no door is open',
    breaks: file('src/lib/state/x.svelte.ts', "import { download } from '../hub/download';"),
    keeps: file('src/lib/state/x.svelte.ts', "import { register } from '../hub/register';"),
  },
  {
    title: 'a worker other than by its address',
    breaks: file('src/lib/state/x.ts', "import '../../../workers/engine';"),
    keeps: file(
      'src/lib/state/x.ts',
      "new Worker(new URL('../../../workers/engine.ts', import.meta.url));",
    ),
  },
  {
    title: 'a page from a room',
    breaks: file('src/lib/ui/X.svelte', "<script>import '../../routes/nav';</script>"),
    keeps: file('src/routes/X.svelte', "<script>import './nav';</script>"),
  },
  {
    title: 'the browser rooms from the command line',
    breaks: file('src/cli/x.ts', "import { files } from '$lib/storage';"),
    keeps: file('src/cli/x.ts', "import { train } from '$lib/training';"),
  },
  {
    title: 'files outside of the program',
    breaks: file('src/lib/gpu/x.ts', "import '../../../tests/dawn';"),
    keeps: file('src/lib/hub/x.ts', "import catalogue from '$models/catalogue.json';"),
  },
  {
    title: 'a target that cannot be read',
    breaks: file('src/lib/gpu/x.ts', 'await import(name);'),
    keeps: file('src/lib/gpu/x.ts', "await import('./device');"),
  },
]);

hold('only rooms of the layout stand in src/lib', rules.roomsAreKnown, sources, [
  {
    title: 'a room that the layout does not know',
    breaks: file('src/lib/services/x.ts'),
    keeps: file('src/lib/retrieval/x.ts'),
  },
]);

hold('only gpu touches the WebGPU API', rules.onlyGpuTouchesTheGpu, sources, [
  {
    title: 'a buffer made beside the gpu room',
    breaks: file('src/lib/kernels/x.ts', 'gpu.device.createBuffer({ size: 4, usage: 8 });'),
    keeps: file('src/lib/kernels/x.ts', "gpu.createBuffer({ label: 'a', sizeBytes: 4 });"),
  },
  {
    title: 'a pipeline',
    breaks: file('src/lib/decoder/x.ts', 'device.createComputePipeline(d);'),
    keeps: file('src/lib/decoder/x.ts', '// device.createComputePipeline(d)'),
  },
  {
    title: 'a device as a type',
    breaks: file('src/lib/training/x.ts', 'let a: GPUDevice;'),
    keeps: file('src/lib/gpu/x.ts', 'let a: GPUDevice;'),
  },
  {
    title: 'navigator.gpu',
    breaks: file('src/lib/ui/X.svelte', '<script>const has = !!navigator.gpu;</script>'),
    keeps: file('workers/engine.ts', 'start(navigator.gpu);'),
  },
]);

hold("only storage touches the browser's storage", rules.onlyStorageTouchesTheDisk, sources, [
  {
    title: 'OPFS',
    breaks: file('src/lib/hub/x.ts', 'await navigator.storage.getDirectory();'),
    keeps: file('src/lib/storage/x.ts', 'await navigator.storage.getDirectory();'),
  },
  {
    title: 'IndexedDB',
    breaks: file('src/lib/engine/x.ts', 'self.indexedDB;'),
    keeps: file('src/lib/engine/x.ts', "const a = 'indexedDB';"),
  },
  {
    title: 'the idb package',
    breaks: file('src/lib/retrieval/x.ts', "import { openDB } from 'idb';"),
    keeps: file('src/lib/storage/x.ts', "import { openDB } from 'idb';"),
  },
]);

hold('only hub and the service worker reach the network', rules.onlyHubReachesOut, sources, [
  {
    title: 'fetch',
    breaks: file('src/lib/training/x.ts', "await fetch('https://example.org');"),
    keeps: file('src/lib/hub/x.ts', "await fetch('https://example.org');"),
  },
  {
    title: 'fetch of the global object',
    breaks: file('src/lib/state/x.ts', 'await globalThis.fetch(url);'),
    keeps: file('src/lib/state/x.ts', 'await store.fetch(url);'),
  },
  {
    title: 'fetch handed on',
    breaks: file('src/lib/inference/x.ts', 'const get = fetch;'),
    keeps: file('src/lib/inference/x.ts', '// fetch'),
  },
  {
    title: 'another way out',
    breaks: file('src/lib/state/x.ts', 'new WebSocket(url);'),
    keeps: file('src/service-worker/index.ts', 'respond(fetch(event.request));'),
  },
]);

hold(
  'only inference imports onnxruntime and transformers.js',
  rules.onlyInferenceRunsOnnx,
  sources,
  [
    {
      title: 'onnxruntime-web',
      breaks: file('src/lib/engine/x.ts', "import type { Tensor } from 'onnxruntime-web/webgpu';"),
      keeps: file(
        'src/lib/inference/x.ts',
        "import type { Tensor } from 'onnxruntime-web/webgpu';",
      ),
    },
    {
      title: 'transformers.js',
      breaks: file('src/lib/text/x.ts', "await import('@huggingface/transformers');"),
      keeps: file('src/lib/text/x.ts', "await import('@huggingface/tokenizers');"),
    },
  ],
);

hold('only pages know Svelte', rules.onlyPagesKnowSvelte, sources, [
  {
    title: 'a store in a heavy room',
    breaks: file('src/lib/training/x.ts', "import { writable } from 'svelte/store';"),
    keeps: file('src/lib/state/x.ts', "import { writable } from 'svelte/store';"),
  },
  {
    title: 'the router in a heavy room',
    breaks: file('src/lib/engine/x.ts', "import { base } from '$app/paths';"),
    keeps: file('src/lib/ui/X.svelte', "<script>import { base } from '$app/paths';</script>"),
  },
]);

hold('no folder for what has no owner', rules.foldersHaveOwners, everything, [
  {
    title: 'a folder called utils',
    breaks: file('src/lib/gpu/utils/x.ts'),
    keeps: file('src/lib/i18n/en/common.ts'),
  },
]);

hold('names follow the style', rules.namesFollowTheStyle, everything, [
  {
    title: 'a file in camelCase',
    breaks: file('src/lib/gpu/matMul.ts'),
    keeps: file('src/lib/gpu/mat-mul.svelte.ts'),
  },
  {
    title: 'a folder in PascalCase',
    breaks: file('src/lib/Gpu/x.ts'),
    keeps: file('src/routes/(app)/runs/[id]/+page.svelte'),
  },
  {
    title: 'a component in kebab-case',
    breaks: file('src/lib/ui/loss-plot.svelte'),
    keeps: file('src/lib/ui/LossPlot.svelte'),
  },
]);

const lines = (count: number) => 'a;\n'.repeat(count);

hold('a long file says why', rules.longFilesSayWhy, everything, [
  {
    title: 'a long file without a reason',
    breaks: file('src/lib/gpu/x.ts', `/** Devices. */\n${lines(400)}`),
    keeps: file('src/lib/gpu/x.ts', `/** Devices. */\n${lines(399)}`),
  },
  {
    title: 'a reason below the header',
    breaks: file('src/lib/gpu/x.ts', `${lines(400)}// It is long because.\n`),
    keeps: file('src/lib/gpu/x.ts', `// It is long: one table.\n${lines(400)}`),
  },
]);

hold('every room has a short README', rules.roomsHaveReadmes, sources, [
  {
    title: 'a room without one',
    breaks: file('src/lib/gpu/device.ts'),
    keeps: file('src/lib/gpu/README.md', '# gpu\n'),
  },
  {
    title: 'a README that nobody reads to the end',
    breaks: file('src/lib/gpu/README.md', lines(26)),
    keeps: file('src/lib/gpu/README.md', lines(25)),
  },
]);
