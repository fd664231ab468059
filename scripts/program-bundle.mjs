// Loads a program of src/ on Node as one file, made by Vite when the sources have changed and kept in .cache:
// reading them one by one takes four times as long as all the rest of a short command.
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdtempSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './run-process.mjs';

const FOLDER = join(root, '.cache', 'programs');
/** Whatever a program is made of. */
const SOURCES = ['src', 'workers', 'models', 'package-lock.json', 'scripts/program-bundle.mjs'];

/** @param {string} entry from the repository's root. @returns what it exports */
export async function loadProgram(entry) {
  const name = `${entry.replace(/\W+/g, '-')}-${fingerprint()}.mjs`;
  const file = join(FOLDER, name);
  if (!existsSync(file)) await bundle(entry, name);
  return import(pathToFileURL(file).href);
}

/** Of names, sizes and times, as make does: reading everything takes longer than it saves. */
function fingerprint() {
  const hash = createHash('sha256').update(process.version);
  const visit = (path) => {
    const { isDirectory, stamp } = describe(path);
    hash.update(`${path} ${stamp}\n`);
    if (isDirectory)
      for (const child of readdirSync(join(root, path)).sort()) visit(`${path}/${child}`);
  };
  for (const path of SOURCES) visit(path);
  return hash.digest('hex').slice(0, 16);
}

function describe(path) {
  const stats = statSync(join(root, path));
  const isDirectory = stats.isDirectory();
  return { isDirectory, stamp: isDirectory ? 'folder' : `${stats.size} ${stats.mtimeMs}` };
}

/** Several commands may do so at once: each makes its own, and the last one named stays. */
async function bundle(entry, name) {
  const [{ build }, { sourceAliases }] = await Promise.all([
    import('vite'),
    import('./source-loader.mjs'),
  ]);
  mkdirSync(FOLDER, { recursive: true });
  // As deep as where it goes, so that its map still finds the sources.
  const outDir = mkdtempSync(join(FOLDER, '..', 'making-program-'));
  try {
    await build({
      root,
      configFile: false,
      envFile: false,
      logLevel: 'error',
      oxc: { tsconfig: false },
      resolve: { alias: sourceAliases },
      build: {
        ssr: entry,
        outDir,
        target: 'node20',
        minify: false,
        sourcemap: 'inline',
        copyPublicDir: false,
        rolldownOptions: { output: { codeSplitting: false, entryFileNames: name } },
      },
    });
    for (const old of readdirSync(FOLDER))
      if (isOlder(old, name)) rmSync(join(FOLDER, old), { force: true });
    renameSync(join(outDir, name), join(FOLDER, name));
  } finally {
    rmSync(outDir, { recursive: true, force: true });
  }
}

/** Another version of the same program. A process that runs it has read all of it. */
const isOlder = (old, name) =>
  old !== name && old.endsWith('.mjs') && old.slice(0, -20) === name.slice(0, -20);
