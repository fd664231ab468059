// `npm start`: from a fresh clone to the page in one command. Installs and builds what is missing, then
// serves. `npm start -- --port 5000` takes another port.
import { createServer } from 'node:net';
import { parseArgs } from 'node:util';
import { refuseOldNode } from './node-version.mjs';
import { ensureBuilt, ensurePackages } from './prepare.mjs';

const HOST = 'localhost';

function isPortFree(port) {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, HOST, () => probe.close(() => resolve(true)));
  });
}

async function main() {
  refuseOldNode();
  const { values } = parseArgs({ options: { port: { type: 'string', default: '4173' } } });
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    throw new Error(`--port takes a number from 1 to 65535, not ${values.port}.`);
  // Asked before the long part, not after it.
  if (!(await isPortFree(port)))
    throw new Error(
      `Port ${port} is taken by another program. Choose another: npm start -- --port ${port + 1}`,
    );
  if (!(await ensurePackages()) || !(await ensureBuilt())) return 1;
  // The server is a program of its own; in this process, so that ending one ends both.
  process.argv.splice(2, Infinity, '--host', HOST, '--port', String(port));
  await import('./serve.mjs');
  return 0;
}

process.exitCode = await main().catch((error) => {
  console.error(error.message);
  return 1;
});
