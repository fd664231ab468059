// Started by bench.mjs. Gives the peers the browser's globals that they look for, then runs the bench.
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import './patient-dawn.mjs';
import { create, globals } from 'webgpu';
import { WebWorker } from './web-worker.mjs';
import { endWithParent, exitWith } from './dawn-process.mjs';
import { root } from './run-process.mjs';
import { openSourceLoader } from './source-loader.mjs';

endWithParent();
const bench = join(root, 'tests', 'bench');
const { values } = parseArgs({
  options: { log: { type: 'string' }, only: { type: 'string' }, check: { type: 'boolean' } },
});

/** Dawn's devices die with this object: the global keeps it. */
const gpu = create([]);
Object.assign(globalThis, globals, {
  Worker: WebWorker,
  require: createRequire(join(bench, 'peers', 'package.json')),
});
Object.defineProperty(globalThis, 'navigator', {
  value: {
    gpu,
    userAgent: `Node.js/${process.versions.node}`,
    hardwareConcurrency: availableParallelism(),
  },
  configurable: true,
});
addIteratorHelpers();

let exitCode = 1;
try {
  const loader = await openSourceLoader({ transformed: [/^@tensorflow\//] });
  const { main } = await loader.load('/tests/bench/main.ts');
  exitCode = await main({
    entry: gpu,
    peers: [
      async () => (await loader.load('/tests/bench/peers/tfjs.mjs')).openTfjs(),
      async () => (await loader.load('/tests/bench/peers/jax.mjs')).openJax('webgpu'),
      async () => (await loader.load('/tests/bench/peers/jax.mjs')).openJax('wasm'),
    ],
    configFiles: {
      nano: join(root, 'models', 'nano-lm', 'config.json'),
      smollm2: join(bench, 'shapes', 'smollm2-135m.json'),
    },
    only: values.only,
    check: values.check,
    resultsFile: join(bench, 'results.json'),
    log: values.log === undefined ? undefined : { file: join(bench, 'LOG.md'), remark: values.log },
  });
} catch (error) {
  console.error(error);
}
exitWith(exitCode);

/** jax-js calls `map` and others on iterators, which Node has from version 22 on. */
function addIteratorHelpers() {
  const prototype = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()));
  const helpers = {
    *map(change) {
      for (const value of this) yield change(value);
    },
    *filter(keep) {
      for (const value of this) if (keep(value)) yield value;
    },
    *flatMap(change) {
      for (const value of this) yield* change(value);
    },
    toArray() {
      return [...this];
    },
    some(test) {
      return [...this].some(test);
    },
    every(test) {
      return [...this].every(test);
    },
    find(test) {
      return [...this].find(test);
    },
    reduce(...args) {
      return [...this].reduce(...args);
    },
    forEach(visit) {
      for (const value of this) visit(value);
    },
  };
  for (const [name, helper] of Object.entries(helpers))
    if (!(name in prototype))
      Object.defineProperty(prototype, name, { value: helper, configurable: true, writable: true });
}
