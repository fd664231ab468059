// `npm run bench`: installs the peers into their own folder, then measures ours against them on one
// adapter. Prints a table, writes tests/bench/results.json; `-- --log "remark"` appends to LOG.md,
// `-- --only matmul` measures what begins so, and writes nothing; `-- --check` fails where a row falls short of
// its target (tests/bench/targets.ts).
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { runWithDawn } from './dawn-process.mjs';
import { ensureVulkanDriver } from './ensure-vulkan.mjs';
import { refuseOldNode } from './node-version.mjs';
import { ensurePackages } from './prepare.mjs';
import { root, runNpm } from './run-process.mjs';

const peers = join(root, 'tests', 'bench', 'peers');

async function main() {
  refuseOldNode();
  if (!(await ensurePackages())) return 1;
  if (!existsSync(join(peers, 'node_modules', '.package-lock.json'))) {
    console.log('Installing the peers into tests/bench/peers ...');
    const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
    if (!(await runNpm(args, { cwd: peers }))) return 1;
  }
  await ensureVulkanDriver();
  return runWithDawn(new URL('./bench-program.mjs', import.meta.url), process.argv.slice(2));
}

process.exitCode = await main();
