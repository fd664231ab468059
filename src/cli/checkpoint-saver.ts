/**
 * When a run's checkpoints are written, and what becomes of it when one cannot be: what it learned is on the GPU, so it
 * goes on; only its end waits for room. Between what was asked for there are resume points, every few minutes.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { isatty } from 'node:tty';
import { isResumePointDue, type Checkpoint, type Trainer } from '$lib/training';
import { CliError } from './errors';
import { tell } from './print';
import { bestStep, type RunFolder } from './run-folder';

export interface Patience {
  /** Before each further try of the last save. */
  readonly pausesMs: Iterable<number>;
  /** Somebody is there to free space. */
  readonly isWatched: boolean;
  readonly wait: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
}

/** At a terminal for as long as it takes. */
function* watchedPauses(): Generator<number> {
  for (;;) yield 5000;
}
/** Long enough for what comes and goes by itself. */
const UNWATCHED_PAUSES_MS = [1000, 2000, 4000, 8000, 16_000];

export function patienceOfTerminal(): Patience {
  const isWatched = isatty(0) || isatty(1);
  const pausesMs = isWatched ? watchedPauses() : UNWATCHED_PAUSES_MS;
  return { pausesMs, isWatched, wait: (ms, signal) => sleep(ms, undefined, { signal }) };
}

export interface CheckpointSaverOptions {
  readonly folder: RunFolder;
  readonly trainer: Pick<Trainer, 'step' | 'checkpoint'>;
  readonly patience: Patience;
  /** Aborts when the run is asked to end. */
  readonly signal: AbortSignal;
}

export class CheckpointSaver {
  /** The step that the run could go on from, and since when. */
  private saved: { step: number; atMs: number };
  private costMs = 0;

  constructor(private readonly options: CheckpointSaverOptions) {
    this.saved = { step: options.trainer.step, atMs: performance.now() };
  }

  /** @throws CliError `write` at the last step alone */
  async save(at: Checkpoint): Promise<void> {
    const { global_step: step, stateful_callbacks } = at.state;
    const write = () => this.write(at, 'asked');
    if (stateful_callbacks.TrainerControl.args.should_training_stop)
      await this.insist(`Step ${step}, the last,`, write);
    else await this.attempt(step, write);
  }

  async saveResumePointWhenDue(): Promise<void> {
    const { trainer } = this.options;
    const { step } = trainer;
    const now = performance.now();
    if (step === this.saved.step || !isResumePointDue(now - this.saved.atMs, this.costMs)) return;
    // Not again before its time, whether or not there is room.
    this.saved = { ...this.saved, atMs: now };
    await this.attempt(step, async () => this.write(await trainer.checkpoint(), 'resume-point'));
  }

  /** Of a run that is asked to end. @throws CliError `write` */
  async saveWhereItIs(): Promise<void> {
    const { trainer } = this.options;
    if (trainer.step === this.saved.step) return;
    const at = await trainer.checkpoint();
    await this.insist(`Step ${trainer.step}`, () => this.write(at, 'resume-point'));
  }

  /** @throws CliError `write` */
  async saveResult(at: Checkpoint): Promise<void> {
    await this.insist('The adapter', () => this.options.folder.writeResult(at));
  }

  private async write(at: Checkpoint, kind: 'asked' | 'resume-point'): Promise<void> {
    const { folder } = this.options;
    const { global_step: step } = at.state;
    const started = performance.now();
    await folder.write(at, kind);
    const now = performance.now();
    this.costMs = now - started;
    this.saved = { step, atMs: now };
    await folder.thinAfter(step, bestStep(at.state));
  }

  private async attempt(step: number, write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      if (!isRefusedWrite(error)) throw error;
      tell(
        `Step ${step} was not saved: ${error.message} Training goes on, and saves again when it is due. ${this.wayBack()}`,
      );
    }
  }

  /** @throws CliError `write` when patience is at its end, or the run is told to end meanwhile */
  private async insist(what: string, write: () => Promise<void>): Promise<void> {
    const { patience, signal } = this.options;
    const pauses = patience.pausesMs[Symbol.iterator]();
    // A run that was told to end already is ended by a second signal.
    const giveUp = signal.aborted ? undefined : signal;
    for (let isFirst = true; ; isFirst = false) {
      try {
        return await write();
      } catch (error) {
        if (!isRefusedWrite(error)) throw error;
        const pause = pauses.next();
        const failed = `${what} was not saved: ${error.message}`;
        if (pause.done || giveUp?.aborted)
          throw new CliError('write', `${failed} ${this.wayBack()}`, { cause: error });
        const how = patience.isWatched ? 'Waits for that; Ctrl+C gives up.' : 'Tries again.';
        // Nothing more is said where a second signal ends it.
        if (isFirst) tell(giveUp ? `${failed} ${how}` : `${failed} ${this.wayBack()} ${how}`);
        await patience.wait(pause.value, giveUp).catch(() => undefined);
      }
    }
  }

  /** What is left if the run ends here. */
  private wayBack(): string {
    const { newest } = this.options.folder;
    return newest === undefined
      ? 'It has no whole checkpoint yet.'
      : `${newest} is whole: the same command with --resume ${newest} goes on from it.`;
  }
}

const isRefusedWrite = (error: unknown): error is CliError =>
  error instanceof CliError && error.code === 'write';
