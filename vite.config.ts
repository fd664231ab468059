import { sveltekit } from '@sveltejs/kit/vite';
import { defineConfig } from 'vite';
import { workerPolicy } from './scripts/content-security-policy.mjs';
import { bundledModels } from './scripts/vite-plugin-models.mjs';

export default defineConfig({
  plugins: [sveltekit(), bundledModels()],
  define: { __WORKER_POLICY__: JSON.stringify(workerPolicy) },
  server: { fs: { allow: ['workers', 'models'] } },
  worker: { format: 'es' },
  build: { target: 'es2022' },
});
