// `npm test`: installs what the tests need, then checks, unit and kernel tests, build and end-to-end
// tests. A phase that fails does not hide the next one. The last line is `N passed, N failed, N skipped`.
// `npm test -- --only checks|unit|e2e` runs one part.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureVulkanDriver } from './ensure-vulkan.mjs';
import { ensureBrowser } from './find-browser.mjs';
import { findFreePort } from './free-port.mjs';
import { refuseOldNode } from './node-version.mjs';
import { buildPage, ensurePackages } from './prepare.mjs';
import { root, runPackage, seconds } from './run-process.mjs';
import { noResults, readPlaywrightResults, readVitestResults } from './test-results.mjs';

const PARTS = ['checks', 'unit', 'e2e'];
const reports = join(root, '.cache', 'test-reports');
const minutes = (count) => count * 60_000;

/** Each counts as one test. */
const CHECKS = {
  eslint: ['eslint/bin/eslint.js', '.'],
  'svelte-check': [
    'svelte-check/bin/svelte-check',
    '--tsconfig',
    './tsconfig.json',
    '--fail-on-warnings',
    '--output',
    'human',
  ],
  'types of workers': ['typescript/bin/tsc', '-p', 'workers/tsconfig.json', '--noEmit'],
  'types of the service worker': [
    'typescript/bin/tsc',
    '-p',
    'src/service-worker/tsconfig.json',
    '--noEmit',
  ],
  'types of tests': ['typescript/bin/tsc', '-p', 'tests/tsconfig.json', '--noEmit'],
  prettier: ['prettier/bin/prettier.cjs', '--check', '--log-level', 'warn', '.'],
};

const total = noResults();

async function phase(title, work) {
  console.log(`\n=== ${title} ===`);
  const start = performance.now();
  let results;
  try {
    results = await work();
  } catch (error) {
    console.error(error);
    results = { ...noResults(), failed: [`${title} (${error.message})`] };
  }
  const { passed, failed, skipped } = results;
  total.passed += passed;
  total.failed.push(...failed);
  total.skipped.push(...skipped);
  console.log(
    `--- ${title}: ${passed} passed, ${failed.length} failed, ${skipped.length} skipped, ${seconds(performance.now() - start)}`,
  );
  return results;
}

/** One thing that passes or fails as a whole. */
async function check(title, work) {
  const { failed } = await phase(title, async () =>
    (await work()) ? { ...noResults(), passed: 1 } : { ...noResults(), failed: [title] },
  );
  return failed.length === 0;
}

/** Two at a time, each in one thread; the longest first. They speak only when they fail. */
async function runChecks() {
  const waiting = Object.entries(CHECKS);
  const runOn = async () => {
    for (let next; (next = waiting.shift());) {
      const [title, [file, ...args]] = next;
      await check(title, () => runPackage(file, args, { timeoutMs: minutes(5), quiet: true }));
    }
  };
  await Promise.all([runOn(), runOn()]);
}

async function runUnitTests() {
  await phase('unit and kernel tests (vitest)', async () => {
    const driver = await ensureVulkanDriver();
    console.log(`Vulkan driver for Dawn: ${driver ?? "the system's own"}`);
    const browser = await ensureBrowser();
    console.log(`Browser: ${browser ?? 'none, the tests that need one are skipped'}`);
    const report = join(reports, 'vitest.json');
    const skips = join(reports, 'vitest-skips.json');
    await runPackage(
      'vitest/vitest.mjs',
      [
        'run',
        '--reporter=default',
        '--reporter=json',
        '--reporter=./scripts/skip-reporter.mjs',
        `--outputFile.json=${report}`,
      ],
      {
        timeoutMs: minutes(15),
        env: {
          INKSTONE_SKIPS_FILE: skips,
          ...(driver ? { VK_DRIVER_FILES: driver } : {}),
          ...(browser ? { CHROMIUM_PATH: browser } : {}),
        },
      },
    );
    return readVitestResults(report, skips);
  });
}

/** Playwright's counts for one configuration, the root's or another. */
async function playwright(title, browser, args) {
  await phase(title, async () => {
    const report = join(reports, `${title.replace(/\W+/g, '-')}.json`);
    await runPackage(
      '@playwright/test/cli.js',
      ['test', ...args, '--pass-with-no-tests', '--reporter=list,json'],
      {
        timeoutMs: minutes(45),
        env: {
          PLAYWRIGHT_JSON_OUTPUT_FILE: report,
          CHROMIUM_PATH: browser,
          INKSTONE_PORT: String(await findFreePort()),
        },
      },
    );
    return readPlaywrightResults(report);
  });
}

async function runBrowserTests() {
  const isBuilt = await check('build', buildPage);
  const browser = await ensureBrowser();
  if (!browser) {
    total.failed.push('tests in a browser (there is no Chromium)');
    return;
  }
  await playwright('rooms in a browser (playwright)', browser, ['-c', 'tests/browser']);
  await playwright('pages over a stand-in engine (playwright)', browser, ['-c', 'tests/ui']);
  if (isBuilt) await playwright('end-to-end tests (playwright)', browser, ['--project=e2e']);
  else total.failed.push('end-to-end tests (there is no built page)');
}

async function main() {
  refuseOldNode();
  const { values } = parseArgs({ options: { only: { type: 'string' } } });
  if (values.only !== undefined && !PARTS.includes(values.only))
    throw new Error(`--only takes one of ${PARTS.join(', ')}, not ${values.only}.`);
  const wants = (part) => values.only === undefined || values.only === part;

  const start = performance.now();
  rmSync(reports, { recursive: true, force: true });
  mkdirSync(reports, { recursive: true });
  console.log('=== packages ===');
  if (!(await ensurePackages())) total.failed.push('packages (npm ci)');
  else {
    // Svelte writes the tsconfig that all the others, and Vite, extend.
    await runPackage('@sveltejs/kit/svelte-kit.js', ['sync']);
    if (wants('checks')) await runChecks();
    if (wants('unit')) await runUnitTests();
    if (wants('e2e')) await runBrowserTests();
  }

  const { passed, failed, skipped } = total;
  console.log(`\n=== all, ${seconds(performance.now() - start)} ===`);
  for (const { name, reason } of skipped) console.log(`skipped: ${name}: ${reason || 'no reason'}`);
  for (const name of failed) console.log(`failed: ${name}`);
  console.log(`${passed} passed, ${failed.length} failed, ${skipped.length} skipped`);
  return failed.length === 0 ? 0 : 1;
}

process.exitCode = await main().catch((error) => {
  console.error(error.message);
  return 1;
});
