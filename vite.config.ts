import { sveltekit } from '@sveltejs/kit/vite';
import { defineConfig } from 'vite';

export default defineConfig({
  plugins: [sveltekit()],
  server: { fs: { allow: ['workers', 'models'] } },
  worker: { format: 'es' },
  build: { target: 'es2022' },
});
