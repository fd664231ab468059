// Dawn for Node asks whether the GPU is done from one `setImmediate` to the next, which holds a whole core
// for as long as anything is awaited. On a software GPU that core is the GPU: a step took nearly twice the processor
// time. Imported before Dawn is used, this lets it ask a few times at once, then every millisecond.

/** Dawn's questions that go through undelayed: most waits in a test are over by then. */
const IMPATIENT_ASKS = 32;
/** After a pause this long a question begins another wait. */
const NEW_WAIT_MS = 5;
const PAUSE_MS = 1;

const askAtOnce = globalThis.setImmediate;
const askLater = globalThis.setTimeout;
let asked = 0;
let lastAskedAt = -Infinity;

/** Dawn looks the function up by its name in the global object each time. */
globalThis.setImmediate = Object.assign((callback, ...args) => {
  if (args.length > 0 || !isDawn(callback)) return askAtOnce(callback, ...args);
  const now = performance.now();
  asked = now - lastAskedAt > NEW_WAIT_MS ? 1 : asked + 1;
  lastAskedAt = now;
  return asked <= IMPATIENT_ASKS ? askAtOnce(callback) : askLater(callback, PAUSE_MS);
}, askAtOnce);

/** Its callback is the only nameless one that is not written in JavaScript. */
function isDawn(callback) {
  return (
    typeof callback === 'function' &&
    callback.name === '' &&
    Function.prototype.toString.call(callback).includes('[native code]')
  );
}
