/** Builds and serves the harness as the app is: module worker, hashed assets, isolation, the workers' policy. */
import { createReadStream, existsSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';
import { bundledModels } from '../../../scripts/vite-plugin-models.mjs';
import { isolationHeaders, workerPolicy } from '../../../scripts/content-security-policy.mjs';

const repository = fileURLToPath(new URL('../../../', import.meta.url));
const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/** `/repository/...` gives the reference checkpoints and the bundled models. */
function repositoryFiles(): Plugin {
  const served = /^\/repository\/((?:tests\/reference\/goldens|models)\/[\w./-]+)$/;
  return {
    name: 'repository-files',
    configurePreviewServer: ({ middlewares }) => {
      middlewares.use((request, response, next) => {
        const file = served.exec(request.url ?? '')?.[1];
        if (!file) return next();
        if (file.includes('..') || !existsSync(repository + file)) {
          response.statusCode = 404;
          return response.end();
        }
        response.setHeader('content-length', statSync(repository + file).size);
        createReadStream(repository + file).pipe(response);
      });
    },
  };
}

export default defineConfig({
  root: path('.'),
  appType: 'mpa',
  resolve: { alias: { $lib: `${repository}src/lib` } },
  plugins: [repositoryFiles(), bundledModels(`${repository}models`)],
  worker: { format: 'es' },
  build: {
    target: 'es2022',
    rollupOptions: { input: [path('index.html'), path('engine-page.html')] },
    outDir: `${repository}node_modules/.cache/inference-harness`,
    emptyOutDir: true,
  },
  preview: {
    port: 4179,
    strictPort: true,
    headers: { ...isolationHeaders, 'Content-Security-Policy': workerPolicy },
  },
  logLevel: 'warn',
});
