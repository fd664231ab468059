// Loads the TypeScript of src/ on Node as Vite sees it (aliases, `?raw` shaders) with no build step.
// For the bench; the command line is bundled (program-bundle.mjs).
import { fileURLToPath } from 'node:url';
import { createServer } from 'vite';

const root = fileURLToPath(new URL('..', import.meta.url));
const at = (relative) => fileURLToPath(new URL(`../${relative}`, import.meta.url));

export const sourceAliases = {
  $lib: at('src/lib'),
  $workers: at('workers'),
  $models: at('models'),
};

/**
 * @param {{transformed?: (string | RegExp)[]}} [options] packages to read from their sources for bundlers,
 * because those for Node lack something
 * @returns `load(path)` with paths from the repository's root, `close()`
 */
export async function openSourceLoader({ transformed = [] } = {}) {
  const server = await createServer({
    root,
    configFile: false,
    envFile: false,
    logLevel: 'error',
    appType: 'custom',
    server: { middlewareMode: true, hmr: false, watch: null, ws: false },
    // Only types are stripped, so no tsconfig is read: a fresh clone has none from Svelte yet.
    oxc: { tsconfig: false },
    optimizeDeps: { noDiscovery: true, include: [] },
    ssr: { noExternal: transformed },
    resolve: { alias: sourceAliases },
  });
  return {
    load: (path) => server.ssrLoadModule(path),
    close: () => server.close(),
  };
}
