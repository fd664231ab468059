/**
 * Measures how fast this GPU trains, one measurement at a time, and remembers it for as long as the
 * device lives. Whoever is about to change the open model, or to train, stops it first.
 */
import { GpuError, type Gpu } from '../gpu';
import {
  measureRates,
  type MeasuredStep,
  type Measurement,
  type MeasureOptions,
} from '../training';

export class TimeMeter {
  private readonly measured = new WeakMap<Gpu, Map<string, Measurement>>();
  private running: { stop: AbortController; done: Promise<unknown> } | undefined;

  /** @param measure another one in tests */
  constructor(private readonly measure: typeof measureRates = measureRates) {}

  /** What was measured before; undefined where nothing was. */
  known(modelId: string, options: MeasureOptions): Measurement | undefined {
    return this.measured.get(options.gpu)?.get(keyOf(modelId, options));
  }

  /**
   * Measures what is not known yet, or not by the step that is asked for.
   * @returns undefined where even these few steps take too much memory, or something else of the run is wrong, which
   *   its start will tell
   * @throws AbortError when the caller, or `stop`, ends it
   */
  async rates(modelId: string, options: MeasureOptions): Promise<Measurement | undefined> {
    const { gpu, batch, signal } = options;
    const found = this.known(modelId, options);
    if (found && (!batch || isSameBatch(found.batch, batch))) return found;
    // Of several that waited for the same end, one begins at a time.
    while (this.running) await this.stop();
    signal?.throwIfAborted();
    const stop = new AbortController();
    const either = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
    const measuring = this.measure({ ...options, signal: either });
    const running = { stop, done: measuring.catch(() => undefined) };
    this.running = running;
    try {
      const rates = await measuring;
      const measured = this.measured.get(gpu) ?? new Map<string, Measurement>();
      if (rates) this.measured.set(gpu, measured.set(keyOf(modelId, options), rates));
      return rates;
    } catch (error) {
      either.throwIfAborted();
      if (error instanceof GpuError && error.code === 'device-lost') throw error;
      return undefined;
    } finally {
      if (this.running === running) this.running = undefined;
    }
  }

  /** Resolves when nothing is being measured any more. */
  async stop(): Promise<void> {
    const { running } = this;
    running?.stop.abort();
    await running?.done;
  }
}

/** What the time of a token depends on; how many there are of them is another matter. */
function keyOf(modelId: string, { peft, args, load }: MeasureOptions): string {
  const { gradient_checkpointing, fp16, optim, packing, neftune_noise_alpha } = args;
  return JSON.stringify([
    ...[modelId, peft, load.B, load.T, Math.round(10 * load.targetShare), load.evaluations > 0],
    ...[gradient_checkpointing, fp16, optim, packing, neftune_noise_alpha !== null],
  ]);
}

const isSameBatch = (one: MeasuredStep, other: MeasuredStep): boolean =>
  one.B === other.B && one.T === other.T && one.accumulation === other.accumulation;
