/**
 * The bytes of ONNX Runtime's wasm file, whole and sound: the runtime itself takes what it is given, and
 * can begin only once in a thread, well or badly.
 */
import { fetchOwn } from '../hub';
import { InferenceError } from './errors';
import { withWatchdog } from './watchdog';

/** Without a single byte. */
const STALL_SECONDS = 30;

/**
 * @throws InferenceError `runtime`, retryable; HubError `offline`
 */
export async function fetchWasm(url: URL): Promise<ArrayBuffer> {
  const kept = await read(url, 'default');
  if (WebAssembly.validate(kept)) return kept;
  // A cache may keep what arrived broken.
  const fresh = await read(url, 'reload');
  if (WebAssembly.validate(fresh)) return fresh;
  throw new InferenceError(
    'runtime',
    `${nameOf(url)} is no WebAssembly that this browser can run (${fresh.byteLength} bytes arrived): the file is damaged on the server or on its way, or the browser is too old. Try again; if it stays so, update the browser.`,
    { retryable: true, details: { fileName: nameOf(url), found: fresh.byteLength } },
  );
}

async function read(url: URL, cache: RequestCache): Promise<ArrayBuffer> {
  const stop = new AbortController();
  return withWatchdog(
    STALL_SECONDS,
    async (moved) => {
      const response = await fetchOwn(url, stop.signal, cache);
      moved();
      const watched = response.body?.pipeThrough(
        new TransformStream<Uint8Array, Uint8Array>({
          transform(chunk, controller) {
            moved();
            controller.enqueue(chunk);
          },
        }),
      );
      return new Response(watched).arrayBuffer();
    },
    () => {
      stop.abort();
      return new InferenceError(
        'runtime',
        `${nameOf(url)} stopped arriving: no byte for ${STALL_SECONDS} seconds. Check the connection and try again.`,
        { retryable: true, details: { fileName: nameOf(url) } },
      );
    },
  );
}

const nameOf = (url: URL) => url.pathname.split('/').at(-1)!;
