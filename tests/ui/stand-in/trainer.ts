/**
 * A run of 120 steps in a few seconds, with pauses, stops and failures at step 30 where a scenario asks. It evaluates
 * itself every 20 steps and saves every 40, whatever it is told; the best checkpoint and early stopping are as asked.
 */
import { bestMetricOf } from '../../../src/lib/config';
import { InkstoneError } from '../../../src/lib/config/errors';
import type {
  RunSummary,
  SampleAnswer,
  TrainEvent,
  TrainRequest,
} from '../../../src/lib/rpc/engine-api';
import type { CallContext } from '../../../src/lib/rpc/protocol';
import { checkpointsAt, evaluatedAt, lossAt, provenanceOf, rowsOf, RUNS } from './fixtures';
import { wait, type Scenario } from './scenario';

const TOTAL_STEPS = 120;
const FAILS_AT = 30;
const DIVERGES_AT = 50;
const MB = 1024 ** 2;

const MUTE = { code: 'session', message: 'The session ended.', details: {} };
const TOO_LONG = { code: 'prompt-too-long', message: 'Too long.', details: {} };

type Progress = CallContext<TrainEvent>['progress'];

export class ScriptedTrainer {
  paused = false;
  stop: { keep: boolean } | undefined;

  /** @param onSaved told of the run as it is whenever it has a new checkpoint */
  constructor(private readonly onSaved: (run: RunSummary) => void) {}

  async run(
    request: TrainRequest,
    scenario: Scenario,
    { progress, signal }: CallContext<TrainEvent>,
  ): Promise<RunSummary> {
    this.paused = false;
    this.stop = undefined;
    progress({ kind: 'preparing', part: 'rows', share: 0.4 });
    await wait(scenario === 'slow' ? 1500 : 120, signal);
    if (scenario === 'no-memory' && request.training.per_device_train_batch_size > 2)
      throw new InkstoneError('out-of-memory', 'step/slot 3: the GPU has no memory left.', {
        details: {
          label: 'step/slot 3',
          suggestion: 'per_device_train_batch_size=2, gradient_accumulation_steps=8',
        },
      });
    const runId = request.resumeRunId ?? `run-${Date.now()}`;
    const startStep = request.resumeRunId ? 40 : 0;
    progress({
      kind: 'prepared',
      runId,
      totalSteps: TOTAL_STEPS,
      trainableParams: 98_304,
      allParams: 3_245_568,
      trainRows: 120,
      evalRows: 60,
      cutRows: 3,
      splitTexts: { rows: 0, parts: 0, maxLength: request.training.max_length },
      gpuBytes: 52 * MB,
      startStep,
    });
    const log: RunSummary['log'][number][] = [];
    const samples: RunSummary['samples'][number][] = [];
    const say = (step: number): void => {
      for (const [index, prompt] of request.samplePrompts.entries()) {
        if (scenario === 'mute') {
          progress({ kind: 'sample-failed', step, prompt, error: index === 0 ? MUTE : TOO_LONG });
          continue;
        }
        const answer = { step, prompt, ...cut(answerAfter(prompt, step), request.max_new_tokens) };
        samples.push(answer);
        progress({ kind: 'sample', ...answer });
      }
    };
    if (startStep === 0) say(0);
    let step = startStep;
    const patience = new Patience(request.training);
    while (step < TOTAL_STEPS && !this.stop && !patience.isOut) {
      if (this.paused) {
        await this.#waitPaused(step, progress, signal, () =>
          scenario === 'disk-full'
            ? progress({ kind: 'storage-full', step, waiting: false })
            : this.#saved(runId, request, step, progress),
        );
        continue;
      }
      await wait(scenario === 'slow' ? 1500 : 45, signal);
      step++;
      if (step === FAILS_AT) fail(scenario);
      // At a third of the rate it does not.
      if (scenario === 'diverges' && step === DIVERGES_AT && !request.initAdapterId)
        this.#diverge(runId, request, step);
      const entry = logAt(step);
      progress({
        kind: 'step',
        step,
        epoch: entry.epoch,
        loss: entry.loss,
        gradNorm: entry.grad_norm,
        learningRate: entry.learning_rate,
        tokensPerSecond: entry.tokens_per_second,
        secondsLeft: (TOTAL_STEPS - step) * 0.9,
        gpuBytes: 61 * MB,
      });
      if (step % 10 === 0) log.push(entry);
      if (step % 20 === 0) {
        const evaluation = evaluatedAt(step);
        const { eval_loss: evalLoss, eval_mean_token_accuracy: tokenAccuracy } = evaluation;
        log.push(evaluation);
        patience.evaluate(step);
        progress({ kind: 'evaluation', step, evalLoss, tokenAccuracy });
      }
      if (step % 40 === 0) {
        if (scenario === 'disk-full') await this.#fullDisk(step, progress, signal);
        else this.#saved(runId, request, step, progress);
      }
      if (step % (request.sampleEvery ?? 40) === 0) say(step);
    }
    const { stop } = this as { stop: { keep: boolean } | undefined };
    const keep = stop?.keep ?? true;
    return {
      ...RUNS[0],
      id: runId,
      name: request.name,
      datasetId: request.datasetId,
      evalShare: request.evalShare,
      evalDatasetId: request.evalDatasetId,
      leaveOut: request.leaveOut,
      startedFrom: startOf(request),
      peft: request.peft,
      training: request.training,
      status: stop ? 'stopped' : 'finished',
      step,
      log,
      samples,
      samplePrompts: request.samplePrompts,
      sampleEvery: request.sampleEvery ?? 0,
      max_new_tokens: request.max_new_tokens ?? 48,
      elapsedMs: step * 900,
      tokenCount: step * 1_100,
      provenance: provenanceOf(request),
      ...this.#kept(runId, request, keep ? step : 0),
    };
  }

  #kept(runId: string, { training }: TrainRequest, step: number) {
    const checkpoints = checkpointsAt(runId, step);
    if (step > 0 && checkpoints.at(-1)?.step !== step)
      checkpoints.push({
        ...{ step, adapterId: `${runId.replace('run-', 'adapter-')}-step-${step}` },
        ...{ sizeBytes: 1_186_000, resumeBytes: 788_000, savedAt: Date.now() },
      });
    const best = training.load_best_model_at_end ? bestOf(checkpoints, training) : undefined;
    const final = best ?? checkpoints.at(-1);
    return { checkpoints, bestStep: best?.step, adapterId: final?.adapterId };
  }

  #saved(runId: string, request: TrainRequest, step: number, progress: Progress): void {
    this.onSaved({
      ...RUNS[0],
      id: runId,
      name: request.name,
      training: request.training,
      status: 'running',
      step,
      ...this.#kept(runId, request, step),
    });
    progress({ kind: 'checkpoint', step });
  }

  #diverge(runId: string, request: TrainRequest, step: number): never {
    const message = `The loss became NaN at step ${step}: training diverged.`;
    this.onSaved({
      ...RUNS[0],
      id: runId,
      name: request.name,
      training: request.training,
      status: 'failed',
      step: step - 1,
      error: { code: 'diverged', message },
      ...this.#kept(runId, request, 40),
    });
    throw new InkstoneError('diverged', message, { details: { step } });
  }

  /** The last checkpoint waits for the second try. */
  async #fullDisk(step: number, progress: Progress, signal: AbortSignal): Promise<void> {
    const waiting = step === TOTAL_STEPS;
    progress({ kind: 'storage-full', step, waiting });
    this.paused = waiting;
    while (this.paused && !this.stop) await wait(30, signal);
  }

  async #waitPaused(
    step: number,
    progress: Progress,
    signal: AbortSignal,
    save: () => void,
  ): Promise<void> {
    progress({ kind: 'paused', step });
    if (step > 0) save();
    while (this.paused && !this.stop) await wait(30, signal);
    progress({ kind: 'resumed', step });
  }
}

const metricAt = (step: number, training: TrainRequest['training']): number => {
  const { name, greaterIsBetter } = bestMetricOf(training);
  return evaluatedAt(step)[name] * (greaterIsBetter ? 1 : -1);
};

/** Of those that were evaluated: a pause saves between them. */
const bestOf = (checkpoints: RunSummary['checkpoints'], training: TrainRequest['training']) =>
  checkpoints
    .filter(({ step }) => step % 20 === 0)
    .sort((a, b) => metricAt(b.step, training) - metricAt(a.step, training))
    .at(0);

class Patience {
  #best = -Infinity;
  #worse = 0;

  constructor(private readonly training: TrainRequest['training']) {}

  get isOut(): boolean {
    const { early_stopping_patience: patience } = this.training;
    return patience !== null && this.#worse >= patience;
  }

  evaluate(step: number): void {
    const metric = metricAt(step, this.training);
    this.#worse = metric > this.#best ? 0 : this.#worse + 1;
    this.#best = Math.max(this.#best, metric);
  }
}

const startOf = ({ initAdapterId }: TrainRequest): RunSummary['startedFrom'] =>
  initAdapterId === undefined
    ? undefined
    : { adapterId: initAdapterId, name: RUNS[0].name, step: TOTAL_STEPS };

function fail(scenario: Scenario): void {
  if (scenario === 'crash')
    setTimeout(() => {
      throw new Error('The worker ran out of memory');
    });
  if (scenario === 'vanish') self.close();
  if (scenario === 'device-lost')
    throw new InkstoneError('device-lost', 'The device was lost: destroyed.');
}

const logAt = (step: number) => ({
  step,
  epoch: step / 40,
  loss: lossAt(step),
  grad_norm: 1.4 * Math.exp(-step / 60),
  learning_rate: 2e-4 * (1 - step / TOTAL_STEPS),
  tokens_per_second: 1480 + 40 * Math.sin(step),
});

/** The reference answer to a question of the samples. */
export const answerOf = (question: string): string | undefined =>
  [...rowsOf('-zh'), ...rowsOf('-en')].find((row) => question.startsWith(row.instruction))?.output;

/** A token of two characters, whatever the language. */
const cut = (answer: string, tokens = 48): Pick<SampleAnswer, 'text' | 'cutAfter'> =>
  answer.length > 2 * tokens
    ? { text: answer.slice(0, 2 * tokens), cutAfter: tokens }
    : { text: answer };

function answerAfter(prompt: string, step: number): string {
  const answer = answerOf(prompt) ?? '…';
  if (step === 0) return /[a-z]{3}/.test(answer) ? 'I do not know.' : '我不知道。';
  return answer.slice(0, Math.ceil((answer.length * step) / TOTAL_STEPS));
}
