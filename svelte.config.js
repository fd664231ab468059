import adapter from '@sveltejs/adapter-static';
import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';
import { pageDirectives } from './scripts/content-security-policy.mjs';

/** @type {import('@sveltejs/kit').Config} */
export default {
  preprocess: vitePreprocess(),
  compilerOptions: { runes: true },
  kit: {
    adapter: adapter({
      pages: process.env.INKSTONE_BUILD,
      fallback: '404.html',
      precompress: false,
    }),
    outDir: process.env.INKSTONE_KIT ?? '.svelte-kit',
    alias: { $workers: 'workers', $models: 'models' },
    serviceWorker: { register: false },
    csp: { mode: 'hash', directives: pageDirectives },
  },
};
