/**
 * The product's own development server with one difference: workers/engine.ts is replaced by the
 * scripted stand-in of this folder, so that pages can be looked at in states that are hard to reach.
 * Nothing of it is known to src.
 */
import { fileURLToPath } from 'node:url';
import { createServer, type Plugin, type ViteDevServer } from 'vite';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/** The scenario is a cookie of the test's browser context; a worker cannot read cookies itself. */
function standIn(): Plugin {
  return {
    name: 'stand-in-engine',
    enforce: 'pre',
    load(id) {
      return id.split('?')[0].endsWith('/workers/engine.ts')
        ? `import ${JSON.stringify(path('./stand-in/worker.ts'))};`
        : undefined;
    },
    configureServer(server) {
      server.middlewares.use('/stand-in-scenario', (request, response) => {
        const found = /(?:^|; )scenario=([\w-]+)/.exec(request.headers.cookie ?? '');
        response.setHeader('content-type', 'text/plain');
        response.end(found?.[1] ?? 'ordinary');
      });
    },
  };
}

export async function startStandIn(port: number): Promise<ViteDevServer> {
  const server = await createServer({
    root: path('../..'),
    configFile: path('../../vite.config.ts'),
    plugins: [standIn()],
    worker: { plugins: () => [standIn()] },
    server: { port, strictPort: true, fs: { allow: [path('.')] } },
    logLevel: 'warn',
  });
  return server.listen();
}
