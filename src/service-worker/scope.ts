/** The worker's global scope with its type, and what the build knows: version, files and digests. */
import { base, build, files, prerendered, version } from '$service-worker';

export const worker = globalThis as unknown as ServiceWorkerGlobalScope;

// Defined by scripts/vite-plugin-models.mjs and vite.config.ts.
declare const __BUNDLED_FILES__: Readonly<Record<string, string>>;
declare const __WORKER_POLICY__: string;

/** Bundled models and samples: URL path to the start of their digest. */
export const bundledDigests: ReadonlyMap<string, string> = new Map(
  Object.entries(__BUNDLED_FILES__).map(([path, digest]) => [`${base}/${path}`, digest]),
);

/** A worker obeys the policy in the header of its script. */
export const workerPolicy = __WORKER_POLICY__;

/** Too large for the first load; kept at first use. Workers hold the runtimes. */
const HEAVY = /\.(wasm|onnx|onnx_data|safetensors|map)$/;
/** For the install dialog and the README, never shown by a page. */
const SCREENSHOTS = `${base}/screenshots/`;
const WORKERS = `${base}/_app/immutable/workers/`;

const isShell = (path: string): boolean =>
  !HEAVY.test(path) &&
  !path.startsWith(WORKERS) &&
  !path.startsWith(SCREENSHOTS) &&
  !bundledDigests.has(path);

export const pages: ReadonlySet<string> = new Set(prerendered);

/** Starts every page that is not prerendered; written by the static adapter. */
export const fallbackPage = `${base}/404.html`;

export const shellFiles: readonly string[] = [...new Set([...build, ...files])].filter(isShell);

/** Scripts of workers, for keeping all that a visit without network needs. */
export const workerFiles: readonly string[] = build.filter((path) => path.startsWith(WORKERS));

/** Their names carry a hash: they never change. */
export const isImmutable = (path: string): boolean => path.startsWith(`${base}/_app/immutable/`);

export { base, version };
