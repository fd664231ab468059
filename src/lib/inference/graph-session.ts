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
      const outputs: Feeds = await exclusively(() => this.session.run({ ...this.extra, ...feeds }));
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
