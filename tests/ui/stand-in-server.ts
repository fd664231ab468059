/**
 * The product's own build with one difference: workers/engine.ts is replaced by the scripted stand-in of this
 * folder, so that pages can be looked at in states that are hard to reach. Built, as a page of a development
 * server asks for its modules one by one. Nothing of it is known to src.
 */
import { fileURLToPath } from 'node:url';
import { build, preview, type Plugin, type PreviewServer } from 'vite';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const OUT = path('../../.cache/stand-in');

/** The scenario is a cookie of the test's browser context; a worker cannot read cookies itself. */
function scenario(): Plugin {
  return {
    name: 'stand-in-scenario',
    configurePreviewServer({ middlewares }) {
      middlewares.use('/stand-in-scenario', (request, response) => {
        const found = /(?:^|; )scenario=([\w-]+)/.exec(request.headers.cookie ?? '');
        response.setHeader('content-type', 'text/plain');
        response.end(found?.[1] ?? 'ordinary');
      });
    },
  };
}

export async function startStandIn(port: number): Promise<PreviewServer> {
  // Apart from the page's own build, which other tests use.
  Object.assign(process.env, { INKSTONE_BUILD: `${OUT}/build`, INKSTONE_KIT: `${OUT}/kit` });
  await build({
    root: path('../..'),
    // A file: SvelteKit reads it again for the half of the build that is the browser's.
    configFile: path('./stand-in.vite.config.ts'),
    logLevel: 'warn',
  });
  return preview({
    configFile: false,
    root: OUT,
    appType: 'mpa',
    build: { outDir: 'build' },
    plugins: [scenario()],
    preview: { port, strictPort: true },
  });
}
