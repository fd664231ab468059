// The command line: `npm run inkstone -- train|evaluate|merge|export ...`. What the commands do is
// src/cli/main.ts, over the same rooms as the browser; scripts/inkstone-program.mjs runs it.
import { existsSync } from 'node:fs';
import { runWithDawn } from './dawn-process.mjs';
import { refuseOldNode } from './node-version.mjs';

refuseOldNode();
if (!existsSync(new URL('../node_modules/vite', import.meta.url))) {
  console.error('The packages are not installed. Run `npm ci` in this folder first.');
  process.exit(1);
}
process.exit(
  await runWithDawn(new URL('./inkstone-program.mjs', import.meta.url), process.argv.slice(2)),
);
