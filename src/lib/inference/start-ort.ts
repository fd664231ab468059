/** Begins ONNX Runtime's wasm module, which it otherwise does in the midst of the first model. */
import { ONNX_ELEMENT_TYPE, serializeOnnx, type OnnxModel } from '../formats';
import { InferenceError } from './errors';
import type { Ort } from './runtime';
import { withWatchdog } from './watchdog';

/** Its threads and its compilation take some seconds on a slow phone. */
const START_SECONDS = 60;

/** One value in, the same out. */
const SMALLEST_MODEL: OnnxModel = {
  opsets: [{ domain: '', version: 21 }],
  graph: {
    name: 'smallest',
    nodes: [{ name: '/Identity', opType: 'Identity', inputs: ['in'], outputs: ['out'] }],
    inputs: [{ name: 'in', elementType: ONNX_ELEMENT_TYPE.FLOAT, shape: [1] }],
    outputs: [{ name: 'out', elementType: ONNX_ELEMENT_TYPE.FLOAT, shape: [1] }],
    initializers: [],
  },
};

/**
 * `wasm` is detached afterwards: the compiled module needs it no more, and it is as large as a model.
 * @throws InferenceError `runtime`, not retryable: a second start in the same thread is refused
 */
export async function startOrt(ort: Ort, wasm: ArrayBuffer): Promise<void> {
  ort.env.wasm.wasmBinary = wasm;
  try {
    await withWatchdog(
      START_SECONDS,
      async () => {
        const model = serializeOnnx(SMALLEST_MODEL);
        const session = await ort.InferenceSession.create(model, { executionProviders: ['wasm'] });
        await session.release();
      },
      () => failed(`nothing happened for ${START_SECONDS} seconds`),
    );
  } catch (cause) {
    if (cause instanceof InferenceError) throw cause;
    throw failed((cause instanceof Error ? cause.message : String(cause)).slice(0, 300), cause);
  } finally {
    delete ort.env.wasm.wasmBinary;
  }
  structuredClone(wasm, { transfer: [wasm] });
}

const failed = (found: string, cause?: unknown) =>
  new InferenceError(
    'runtime',
    `The inference runtime did not start: ${found}. Reload the page and try again.`,
    { cause },
  );
