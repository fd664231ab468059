import { sveltekit } from '@sveltejs/kit/vite';
import { defineConfig } from 'vite';
import { workerPolicy } from './scripts/content-security-policy.mjs';
import { bundledModels } from './scripts/vite-plugin-models.mjs';

export default defineConfig({
  plugins: [sveltekit(), bundledModels()],
  define: { __WORKER_POLICY__: JSON.stringify(workerPolicy) },
  server: { fs: { allow: ['workers', 'models'] } },
  // Workers' dependencies are found late; named here, `vite dev` does not reload a page that runs one.
  optimizeDeps: {
    include: [
      '@huggingface/jinja',
      '@huggingface/tokenizers',
      '@huggingface/transformers',
      'client-zip',
      'fflate',
      'idb',
      'onnxruntime-web/webgpu',
      'papaparse',
    ],
  },
  worker: { format: 'es' },
  build: { target: 'es2022' },
});
