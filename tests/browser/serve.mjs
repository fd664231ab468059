// Builds the harness page and serves it until it is ended.
import { build, preview } from 'vite';
import { fileURLToPath } from 'node:url';

const configFile = fileURLToPath(new URL('./harness/vite.config.ts', import.meta.url));
await build({ configFile });
await preview({ configFile });
