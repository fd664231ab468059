/**
 * Addresses of ONNX Runtime's three builds on our own origin. Vite copies the files as they are; a
 * browser fetches the one that it uses, when it first uses it.
 */
import asyncifyModule from 'onnxruntime-web/ort-wasm-simd-threaded.asyncify.mjs?url';
import asyncifyWasm from 'onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?url';
import jspiModule from 'onnxruntime-web/ort-wasm-simd-threaded.jspi.mjs?url';
import jspiWasm from 'onnxruntime-web/ort-wasm-simd-threaded.jspi.wasm?url';
import plainModule from 'onnxruntime-web/ort-wasm-simd-threaded.mjs?url';
import plainWasm from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url';

/**
 * - `jspi`: WebGPU and CPU, 17 MB, where WebAssembly can suspend on promises
 * - `asyncify`: WebGPU and CPU, 27 MB, everywhere
 * - `plain`: CPU only, 14 MB
 */
export type RuntimeBuild = 'jspi' | 'asyncify' | 'plain';

export const ORT_FILES: Readonly<Record<RuntimeBuild, { mjs: string; wasm: string }>> = {
  jspi: { mjs: jspiModule, wasm: jspiWasm },
  asyncify: { mjs: asyncifyModule, wasm: asyncifyWasm },
  plain: { mjs: plainModule, wasm: plainWasm },
};
