/**
 * Everything that a run was, as one JSON file: enough to keep, to show and to repeat it. It is made of what the
 * run wrote down; what an older version did not write, and this device cannot know for sure, is left out. Pure.
 */
import type { DatasetSummary, ModelSummary, RunDataset, RunSummary } from '../rpc/engine-api';
import type { RememberedRequest } from './local-shapes';
import { askingOf } from './run-asking';
import { bestAccuracyOf, bestEvalOf, evalPointsOf, meanSpeedOf, pointsOf } from './run-points';

/** Rises when a reader of older cards would misunderstand a newer one. */
const CARD_VERSION = 1;

/** As it is on this device now, for runs of older versions; undefined where it is here no more. */
export interface CardContext {
  model: ModelSummary | undefined;
  dataset: DatasetSummary | undefined;
  evalDataset: DatasetSummary | undefined;
  /** What the page remembers of its request. */
  remembered?: RememberedRequest;
  /** Of the page that writes the card. */
  appVersion: string;
}

export function makeRunCard(run: RunSummary, context: CardContext) {
  const { provenance } = run;
  // Another revision may lie under a model's id by now.
  const model = provenance?.model ?? {
    ...context.model,
    revision: undefined,
    weightsHash: undefined,
  };
  const [device, ...laterDevices] = provenance?.devices ?? [];
  const points = pointsOf(run.log);
  const evals = evalPointsOf(run.log);
  return {
    kind: 'inkstone-run-card',
    version: CARD_VERSION,
    writtenBy: `Inkstone ${context.appVersion}`,
    name: run.name,
    createdAt: new Date(run.createdAt).toISOString(),
    model: {
      id: run.modelId,
      name: model.name,
      architecture: model.architecture,
      parameterCount: model.parameterCount,
      licence: model.licence,
      revision: model.revision,
      sha256: model.weightsHash,
    },
    data: {
      ...fingerprint(run.datasetId, provenance?.dataset, context.dataset),
      evalShare: run.evalShare,
      leaveOut: run.leaveOut ?? [],
      evaluation: run.evalDatasetId
        ? fingerprint(run.evalDatasetId, provenance?.evalDataset, context.evalDataset)
        : undefined,
    },
    startedFrom: run.startedFrom,
    peft: run.peft,
    training: run.training,
    device,
    laterDevices: laterDevices.length > 0 ? laterDevices : undefined,
    figures: {
      status: run.status,
      step: run.step,
      totalSteps: run.totalSteps,
      bestCheckpointStep: run.bestStep,
      trainableParams: run.trainableParams,
      allParams: run.allParams,
      lastLoss: points.at(-1)?.loss,
      bestEvalLoss: bestEvalOf(evals)?.evalLoss,
      bestEvalLossStep: bestEvalOf(evals)?.step,
      lastEvalLoss: evals.at(-1)?.evalLoss,
      bestTokenAccuracy: bestAccuracyOf(evals)?.tokenAccuracy,
      bestTokenAccuracyStep: bestAccuracyOf(evals)?.step,
      lastTokenAccuracy: evals.at(-1)?.tokenAccuracy,
      elapsedMs: run.elapsedMs,
      tokensPerSecond: meanSpeedOf(run),
      peakGpuBytes: run.peakGpuBytes,
    },
    log: run.log,
    ...askingOf(run, context.remembered),
    samples: run.samples,
    checkpoints: run.checkpoints.map(({ step, sizeBytes, savedAt }) => ({
      step,
      sizeBytes,
      savedAt: new Date(savedAt).toISOString(),
    })),
    error: run.error,
  };
}

/** Rows of one's own never change under their id; those of a sample may, with a new version of the page. */
function fingerprint(
  id: string,
  written: RunDataset | undefined,
  here: DatasetSummary | undefined,
) {
  const dataset = written ?? (here?.origin === 'imported' ? here : undefined);
  return {
    id,
    name: dataset?.name ?? here?.name,
    sha256: dataset?.hash,
    rowCount: dataset?.rowCount,
    schema: dataset?.schema,
  };
}

/** A name that every file system takes. */
export const cardFileName = ({ name }: RunSummary): string =>
  `${name.replace(/[^\p{L}\p{N}._-]+/gu, '-').replace(/^-+|-+$/g, '') || 'run'}.run.json`;
