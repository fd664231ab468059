/**
 * One ONNX Runtime session as transformers.js wants to see it: the usual inputs only, the weights and
 * an adapter's factors added at each run, failures kept apart, the cache's GPU memory accounted for.
 */
import { InkstoneError } from '../config';
import { InferenceError } from './errors';
import { exclusively, type OrtSession, type OrtTensor } from './runtime';

type Feeds = Record<string, OrtTensor>;

/** What transformers.js passes by itself. */
const USUAL_INPUT =
  /^(input_ids|attention_mask|position_ids|num_logits_to_keep|past_key_values\..*)$/;

export class GraphSession {
  readonly inputNames: readonly string[];
  readonly inputMetadata: OrtSession['inputMetadata'];
  readonly outputNames: readonly string[];
  readonly outputMetadata: OrtSession['outputMetadata'];
  /** transformers.js keeps a note here. */
  config: Record<string, unknown> = {};
  /** Values for all inputs that are not usual ones: set before a run. */
  extra: Feeds = {};
  /** What an empty cache is replaced by: keys and values under the names of the cache's inputs. */
  prefix: { readonly length: number; readonly tensors: ReadonlyMap<string, OrtTensor> } | undefined;
  private readonly held = new Set<OrtTensor>();
  private failure: unknown;

  constructor(private readonly session: OrtSession) {
    this.inputNames = session.inputNames.filter((name) => USUAL_INPUT.test(name));
    this.inputMetadata = session.inputMetadata.filter(({ name }) => USUAL_INPUT.test(name));
    this.outputNames = session.outputNames;
    this.outputMetadata = session.outputMetadata;
  }

  /** Names of the inputs that `extra` must give. */
  get extraNames(): readonly string[] {
    return this.session.inputNames.filter((name) => !USUAL_INPUT.test(name));
  }

  /**
   * Never rejects: transformers.js chains all runs of a thread on one promise, and one rejection would
   * block every later run. `rethrow` gives the failure to whoever began the generation.
   */
  async run(feeds: Feeds): Promise<Feeds> {
    try {
      const all = { ...this.extra, ...this.withPrefix(feeds) };
      const outputs: Feeds = await exclusively(() => this.session.run(all));
      for (const tensor of this.held) if (isGone(tensor)) this.held.delete(tensor);
      for (const tensor of Object.values(outputs))
        if (tensor.location === 'gpu-buffer') this.held.add(tensor);
      // The CPU backend never gives the event loop a turn by itself, and a stop must come through.
      await nextTask();
      return outputs;
    } catch (error) {
      this.failure = error;
      return {};
    }
  }

  /** transformers.js counts the tokens that it passed; the graph counts the prefix too. */
  private withPrefix(feeds: Feeds): Feeds {
    const { prefix } = this;
    if (!prefix) return feeds;
    const result = { ...feeds };
    for (const [name, tensor] of Object.entries(feeds)) {
      const start = prefix.tensors.get(name);
      if (start && tensor.dims[2] === 0) result[name] = start;
      if (name === 'attention_mask') result[name] = longerMask(tensor, prefix.length);
      if (name === 'position_ids') result[name] = shifted(tensor, prefix.length);
    }
    return result;
  }

  /** @param error what transformers.js threw, mostly a consequence of the failed run */
  rethrow(error: unknown): never {
    const cause = this.failure ?? error;
    this.failure = undefined;
    if (cause instanceof InkstoneError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new InferenceError('session', `The model could not be run: ${reason.slice(0, 300)}`, {
      cause,
    });
  }

  /** Frees what a generation left on the GPU. */
  releaseHeld(): void {
    for (const tensor of this.held) if (!isGone(tensor)) tensor.dispose();
    this.held.clear();
  }

  async release(): Promise<void> {
    this.releaseHeld();
    this.extra = {};
    await exclusively(() => this.session.release());
  }
}

/** (1, T) becomes (1, length + T), ones in front. */
function longerMask(mask: OrtTensor, length: number): OrtTensor {
  const old = mask.data as BigInt64Array;
  const data = new BigInt64Array(length + old.length).fill(1n);
  data.set(old, length);
  return copyOf(mask, data, [1, data.length]);
}

function shifted(positions: OrtTensor, by: number): OrtTensor {
  const data = (positions.data as BigInt64Array).map((position) => position + BigInt(by));
  return copyOf(positions, data, positions.dims);
}

const copyOf = (tensor: OrtTensor, data: BigInt64Array, dims: readonly number[]): OrtTensor =>
  new (
    tensor.constructor as new (
      type: 'int64',
      data: BigInt64Array,
      dims: readonly number[],
    ) => OrtTensor
  )('int64', data, dims);

const isGone = (tensor: OrtTensor) => tensor.location === 'none';

/** Resolves after the events that are already waiting. */
function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}
