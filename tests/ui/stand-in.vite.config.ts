/** The product's build with workers/engine.ts replaced by the scripted stand-in of this folder. */
import { fileURLToPath } from 'node:url';
import { mergeConfig, type Plugin } from 'vite';
import config from '../../vite.config';

const worker = fileURLToPath(new URL('./stand-in/worker.ts', import.meta.url));

const standIn = (): Plugin => ({
  name: 'stand-in-engine',
  enforce: 'pre',
  load: (id) =>
    id.split('?')[0].endsWith('/workers/engine.ts')
      ? `import ${JSON.stringify(worker)};`
      : undefined,
});

export default mergeConfig(config, {
  plugins: [standIn()],
  worker: { plugins: () => [standIn()] },
});
