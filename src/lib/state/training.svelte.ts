/** The run under way and the last one: its events become series, samples and a few announcements. */
import type { RunSummary, SampleAnswer, TrainEvent, TrainRequest } from '../rpc/engine-api';
import { adapters } from './adapters.svelte';
import { engine, type Activity } from './engine.svelte';
import { HiddenTime } from './hidden-time';
import { askOnceToKeepData } from './keep-data';
import { rememberRequest } from './remembered-requests';
import { evalPointsOf, pointsOf, type EvalPoint, type Point } from './run-points';
import { runs } from './runs.svelte';
import { ScreenWake } from './screen-wake';

export type TrainPhase = 'idle' | 'preparing' | 'running' | 'paused' | 'stopping' | 'ended';
export type Prepared = Extract<TrainEvent, { kind: 'prepared' }>;
export type Preparing = Extract<TrainEvent, { kind: 'preparing' }>;
export type StorageFull = Extract<TrainEvent, { kind: 'storage-full' }>;
export type StepEvent = Extract<TrainEvent, { kind: 'step' }>;
export type SampleFailure = Extract<TrainEvent, { kind: 'sample-failed' }>;
export type Announcement =
  | { kind: 'start'; steps: number }
  | { kind: 'progress'; share: number; loss: number }
  | { kind: 'paused' | 'resumed' | 'done' };

/** A screen reader hears of progress this many times a run. */
const SPOKEN_PARTS = 4;
/** The page redraws its figures no more often than this. */
const REDRAW_MS = 250;
/** A shorter look at another tab is not worth a word. */
const LONG_HIDDEN_MS = 30_000;

class Training {
  phase = $state<TrainPhase>('idle');
  request = $state.raw<TrainRequest>();
  prepared = $state.raw<Prepared>();
  latest = $state.raw<StepEvent>();
  /** What the engine is at before the first step, where that takes a while. */
  preparing = $state.raw<Preparing>();
  points = $state.raw<readonly Point[]>([]);
  /** Losses over the rows held back, where the run evaluates itself. */
  evals = $state.raw<readonly EvalPoint[]>([]);
  samples = $state.raw<readonly SampleAnswer[]>([]);
  /** The newest question that got no answer; the run goes on without. */
  sampleFailure = $state.raw<SampleFailure>();
  checkpointStep = $state<number>();
  /** The device had no room for the last checkpoint. */
  storageFull = $state.raw<StorageFull>();
  result = $state.raw<RunSummary>();
  error = $state.raw<unknown>();
  announcement = $state.raw<Announcement>();
  /** How long the page was last in the background, where that was long; undefined where it was not. */
  hiddenMs = $state<number>();
  awake = $state(false);

  #points: Point[] = [];
  #latest: StepEvent | undefined;
  #redraw: ReturnType<typeof setTimeout> | undefined;
  #spoken = 0;
  #cancelling: AbortController | undefined;
  #cancelled = $state(false);
  #wake = new ScreenWake((awake) => (this.awake = awake));
  #hidden = new HiddenTime(
    (ms) => {
      if (ms >= LONG_HIDDEN_MS) this.hiddenMs = ms;
    },
    // What cannot be saved now is saved within minutes.
    () => void engine.call((api) => api.saveTraining()).catch(() => undefined),
  );

  /** What would make a run fit that did not: `name=value, name=value`. */
  readonly suggestion: string | undefined = $derived.by(() => {
    const { details } = (this.error ?? {}) as { details?: { suggestion?: unknown } };
    return typeof details?.suggestion === 'string' ? details.suggestion : undefined;
  });
  /** The last run was cancelled before its first step. */
  readonly cancelled = $derived(this.#cancelled && !this.latest);
  readonly active = $derived(this.phase !== 'idle' && this.phase !== 'ended');
  readonly share = $derived(
    this.prepared && this.latest && this.prepared.totalSteps > 0
      ? Math.min(1, this.latest.step / this.prepared.totalSteps)
      : 0,
  );

  /**
   * @param open what has to be there first; its signal aborts on `cancel`
   * @throws what the engine throws; also kept in `error` for the page, but not when it was cancelled
   */
  async start(
    request: TrainRequest,
    open?: (signal: AbortSignal) => Promise<unknown>,
  ): Promise<RunSummary> {
    this.#reset(request);
    const cancelling = (this.#cancelling = new AbortController());
    void this.#wake.hold();
    void askOnceToKeepData();
    this.#hidden.watch();
    try {
      await open?.(cancelling.signal);
      cancelling.signal.throwIfAborted();
      this.result = await engine.track('training', request.name, (api, activity) =>
        api.train(request, {
          signal: cancelling.signal,
          onProgress: (event) => this.#take(event, activity),
        }),
      );
      return this.result;
    } catch (error) {
      if (!cancelling.signal.aborted) this.error = error;
      throw error;
    } finally {
      this.#hidden.stop();
      void this.#wake.release();
      this.#draw();
      this.phase = this.cancelled ? 'idle' : 'ended';
      this.announcement = this.cancelled ? undefined : { kind: 'done' };
      if (!engine.broken) void Promise.all([runs.refresh(), adapters.refresh()]);
    }
  }

  /** The phase follows with the engine's own `paused` event, after the step under way. */
  async pause(): Promise<void> {
    await engine.call((api) => api.pauseTraining());
  }

  async resume(): Promise<void> {
    await engine.call((api) => api.resumeTraining());
  }

  /** Before the first step: back to the form, and nothing of a new run is left. */
  cancel(): void {
    this.#cancelled = true;
    this.#cancelling?.abort();
  }

  async stop(keep: boolean): Promise<void> {
    this.phase = 'stopping';
    await engine.call((api) => api.stopTraining({ keep }));
  }

  /** Puts the last run aside; the page shows the start button again. */
  clear(): void {
    if (!this.active) this.phase = 'idle';
  }

  #reset(request: TrainRequest): void {
    this.phase = 'preparing';
    this.request = request;
    this.prepared = this.latest = this.result = this.error = this.announcement = undefined;
    this.preparing = undefined;
    this.#cancelled = false;
    this.checkpointStep = this.storageFull = this.hiddenMs = undefined;
    this.points = this.#points = [];
    this.evals = [];
    this.#latest = undefined;
    this.samples = [];
    this.sampleFailure = undefined;
    this.#spoken = 0;
  }

  #take(event: TrainEvent, activity: Activity): void {
    switch (event.kind) {
      case 'preparing':
        this.preparing = event;
        break;
      case 'prepared':
        this.prepared = event;
        if (this.request) rememberRequest(event.runId, this.request);
        if (event.startStep > 0) this.#recall(event);
        this.phase = 'running';
        this.announcement = { kind: 'start', steps: event.totalSteps };
        break;
      case 'step':
        this.#points.push(event);
        this.#latest = event;
        this.#redraw ??= setTimeout(() => this.#draw(activity), REDRAW_MS);
        break;
      case 'evaluation':
        this.evals = [...this.evals, event];
        break;
      case 'sample':
        this.samples = [...this.samples, event];
        break;
      case 'sample-failed':
        this.sampleFailure = event;
        break;
      case 'checkpoint':
        this.checkpointStep = event.step;
        this.storageFull = undefined;
        void Promise.all([runs.refresh(), adapters.refresh()]);
        break;
      case 'storage-full':
        this.storageFull = event;
        if (event.waiting) this.phase = 'paused';
        break;
      case 'paused':
        this.#draw(activity);
        this.phase = 'paused';
        this.announcement = { kind: 'paused' };
        break;
      case 'resumed':
        this.phase = 'running';
        this.announcement = { kind: 'resumed' };
        break;
    }
  }

  /** The part of a resumed run that is on record. */
  #recall({ runId, startStep }: Prepared): void {
    const run = runs.byId(runId);
    const before = (run?.log ?? []).filter((entry) => entry.step <= startStep);
    this.#points = pointsOf(before);
    this.evals = evalPointsOf(before);
    this.samples = (run?.samples ?? []).filter((sample) => sample.step <= startStep);
  }

  #draw(activity?: Activity): void {
    clearTimeout(this.#redraw);
    this.#redraw = undefined;
    this.points = [...this.#points];
    this.latest = this.#latest;
    if (activity) activity.share = this.share;
    const part = Math.floor(this.share * SPOKEN_PARTS);
    if (this.latest && part > this.#spoken && part < SPOKEN_PARTS) {
      this.#spoken = part;
      this.announcement = { kind: 'progress', share: this.share, loss: this.latest.loss };
    }
  }
}

export const training = new Training();
