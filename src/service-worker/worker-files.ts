/** What the workers load, so that a visit without network can start them: scripts and one runtime. */
import { base, workerFiles } from './scope';

/** The builds of ONNX Runtime in src/lib/inference/ort-files.ts; a browser uses one of them. */
const RUNTIME = /\/ort-wasm-simd-threaded(?:\.(jspi|asyncify))?[.-]/;

/** @param gpu whether the browser has WebGPU: without it the CPU build is loaded. */
export async function listWorkerFiles(gpu: boolean): Promise<string[]> {
  const wanted = !gpu ? 'plain' : 'Suspending' in WebAssembly ? 'jspi' : 'asyncify';
  return (await readList()).filter((path) => {
    const runtime = RUNTIME.exec(path);
    return !runtime || (runtime[1] ?? 'plain') === wanted;
  });
}

/** Written by scripts/vite-plugin-models.mjs; without it, what the build itself lists. */
async function readList(): Promise<readonly string[]> {
  try {
    const response = await fetch(`${base}/_app/workers.json`, { cache: 'no-cache' });
    const { files } = (await response.json()) as { files: string[] };
    return files.map((path) => `${base}/${path}`);
  } catch {
    return workerFiles;
  }
}
