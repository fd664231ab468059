// What a fresh clone lacks: the packages of package-lock.json and the built page. Each is made only
// when it is missing or its sources have changed since.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, runNpm, runPackage, seconds } from './run-process.mjs';

/** The page's sources; models are copied into it. */
const BUILD_INPUTS = [
  'src',
  'workers',
  'models',
  'static',
  'scripts/vite-plugin-models.mjs',
  'scripts/content-security-policy.mjs',
  'package-lock.json',
  'svelte.config.js',
  'vite.config.ts',
];
const BUILD_STAMP = join(root, '.cache', 'build-inputs');

const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));

/** Whether node_modules holds what the lock names; packages for other platforms may be missing. */
function packagesMatchLock() {
  const installedFile = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(installedFile)) return false;
  const installed = readJson(installedFile).packages;
  const locked = readJson(join(root, 'package-lock.json')).packages;
  return Object.entries(locked).every(([path, { version, optional, peer, link }]) => {
    if (path === '' || link) return true;
    const found = installed[path];
    return found ? found.version === version : Boolean(optional || peer);
  });
}

/** @returns {Promise<boolean>} false when npm failed; its own words are on the screen then */
export async function ensurePackages() {
  if (packagesMatchLock()) return true;
  console.log('Installing the packages (npm ci) ...');
  const start = performance.now();
  const ok = await runNpm(['ci', '--no-audit', '--no-fund', '--loglevel=error']);
  if (ok) console.log(`Installed in ${seconds(performance.now() - start)}.`);
  else
    console.error(
      'npm ci failed. Is the npm registry reachable from here? Its message is above; run `npm ci` to see it again.',
    );
  return ok;
}

function hashBuildInputs() {
  const hash = createHash('sha256');
  const visit = (path) => {
    const full = join(root, path);
    if (!existsSync(full)) return;
    let names;
    try {
      names = readdirSync(full).sort();
    } catch {
      hash.update(`${path}\0`).update(readFileSync(full));
      return;
    }
    for (const name of names) if (name !== '__pycache__') visit(`${path}/${name}`);
  };
  BUILD_INPUTS.forEach(visit);
  return hash.digest('hex');
}

/** @returns {Promise<boolean>} false when the build failed */
export async function buildPage() {
  const inputs = hashBuildInputs();
  const ok = await runPackage('vite/bin/vite.js', ['build'], { quiet: true });
  if (!ok) return false;
  mkdirSync(join(root, '.cache'), { recursive: true });
  writeFileSync(BUILD_STAMP, inputs);
  return true;
}

/** @returns {Promise<boolean>} false when the build failed */
export async function ensureBuilt() {
  const isFresh =
    existsSync(join(root, 'build', 'index.html')) &&
    existsSync(BUILD_STAMP) &&
    readFileSync(BUILD_STAMP, 'utf8') === hashBuildInputs();
  if (isFresh) return true;
  console.log('Building the page (npm run build) ...');
  const start = performance.now();
  const ok = await buildPage();
  if (ok) console.log(`Built in ${seconds(performance.now() - start)}.`);
  else console.error('The build failed; its message is above.');
  return ok;
}
