/**
 * Loads onnxruntime-web and transformers.js once for this thread, from our own origin. The one place
 * that imports either; both use the same copy of onnxruntime-web, whose wasm build is chosen here.
 */
import type * as OrtModule from 'onnxruntime-web/webgpu';
import type * as TransformersModule from '@huggingface/transformers';
import { InferenceError } from './errors';
import { fetchWasm } from './fetch-wasm';
import { ORT_FILES, type RuntimeBuild } from './ort-files';
import { startOrt } from './start-ort';

export type { RuntimeBuild } from './ort-files';
export type Ort = typeof OrtModule;
export type Transformers = typeof TransformersModule;
export type OrtTensor = OrtModule.Tensor;
export type OrtSession = OrtModule.InferenceSession;
export type Backend = 'webgpu' | 'wasm';

export interface Runtime {
  readonly ort: Ort;
  readonly transformers: Transformers;
  readonly build: RuntimeBuild;
}

/** More threads than this gain nothing for the short products of decoding. */
const MAX_THREADS = 4;

let loading: Promise<Runtime> | undefined;

/**
 * @param backend where wasm cannot suspend, or there is no WebGPU at all, the first call in a thread decides
 *   the build: a thread that began with `wasm` cannot change to `webgpu`
 * @throws InferenceError `runtime`
 */
export async function loadRuntime(backend: Backend): Promise<Runtime> {
  loading ??= load(chooseBuild(backend)).catch((cause: unknown) => {
    const isOurs = cause instanceof InferenceError;
    if (!isOurs || cause.retryable) loading = undefined;
    if (isOurs) throw cause;
    throw new InferenceError(
      'runtime',
      'The inference runtime did not load. Check the connection once, then try again; it works offline after that.',
      { cause, retryable: true },
    );
  });
  const runtime = await loading;
  if (backend === 'webgpu' && runtime.build === 'plain')
    throw new InferenceError(
      'runtime',
      'The CPU build of the inference runtime is loaded already; close the model and open it again to use WebGPU.',
    );
  return runtime;
}

/**
 * JSPI serves both backends as fast as a build for one, and it is the one that the service worker keeps
 * for going offline wherever there is WebGPU.
 */
function chooseBuild(backend: Backend): RuntimeBuild {
  const hasWebgpu = 'gpu' in (globalThis.navigator ?? {});
  if (hasWebgpu && 'Suspending' in WebAssembly) return 'jspi';
  return backend === 'webgpu' ? 'asyncify' : 'plain';
}

async function load(build: RuntimeBuild): Promise<Runtime> {
  const ort = await import('onnxruntime-web/webgpu');
  // Before transformers.js is evaluated: it points an unset path to a CDN.
  const base = globalThis.location?.href;
  const [mjs, wasm] = [ORT_FILES[build].mjs, ORT_FILES[build].wasm].map((f) => new URL(f, base));
  ort.env.wasm.wasmPaths = { mjs: mjs.href, wasm: wasm.href };
  ort.env.wasm.numThreads = threadCount();
  ort.env.logLevel = 'error';
  await startOrt(ort, await fetchWasm(wasm));
  const transformers = await import('@huggingface/transformers');
  transformers.env.allowRemoteModels = false;
  transformers.env.allowLocalModels = true;
  transformers.env.useBrowserCache = false;
  transformers.env.useWasmCache = false;
  return { ort, transformers, build };
}

/** Threads need shared memory, which a page has only when it is cross-origin isolated. */
function threadCount(): number {
  if (!globalThis.crossOriginIsolated) return 1;
  const cores = globalThis.navigator?.hardwareConcurrency ?? 1;
  return Math.max(1, Math.min(MAX_THREADS, Math.ceil(cores / 2)));
}

let queue: Promise<unknown> = Promise.resolve();

/** One call into ONNX Runtime at a time: a second one is refused ("Session already started"). */
export function exclusively<T>(work: () => Promise<T>): Promise<T> {
  const result = queue.then(work);
  queue = result.catch(() => undefined);
  return result;
}
