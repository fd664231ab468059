// `npm run tour`: builds the page, serves it and lets tests/e2e/tour.spec.ts walk the main job in a
// headless Chromium. Pictures and figures are in tests/e2e/out afterwards.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBrowser } from './find-browser.mjs';
import { findFreePort } from './free-port.mjs';
import { refuseOldNode } from './node-version.mjs';
import { ensureBuilt, ensurePackages } from './prepare.mjs';
import { root, runPackage } from './run-process.mjs';

const out = join(root, 'tests', 'e2e', 'out');

async function main() {
  refuseOldNode();
  if (!(await ensurePackages()) || !(await ensureBuilt())) return 1;
  const browser = await ensureBrowser();
  if (!browser) return 1;
  const ok = await runPackage(
    '@playwright/test/cli.js',
    ['test', '--project=tour', '--reporter=list'],
    { env: { CHROMIUM_PATH: browser, INKSTONE_PORT: String(await findFreePort()) } },
  );
  if (existsSync(out))
    for (const name of readdirSync(out).sort()) console.log(join('tests', 'e2e', 'out', name));
  return ok ? 0 : 1;
}

process.exitCode = await main();
