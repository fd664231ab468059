/** Everything that a run was, as one JSON file: enough to keep, to show and to repeat it. Pure. */
import type { DatasetSummary, DeviceReport, ModelSummary, RunSummary } from '../rpc/engine-api';
import { pointsOf } from './run-points';

/** Rises when a reader of older cards would misunderstand a newer one. */
const CARD_VERSION = 1;

export interface CardContext {
  /** Undefined where it is no longer on this device. */
  model: ModelSummary | undefined;
  dataset: DatasetSummary | undefined;
  evalDataset: DatasetSummary | undefined;
  /** As it is now, which is where the run was unless its record came from elsewhere. */
  device: DeviceReport | undefined;
  /** Of the page that writes the card. */
  appVersion: string;
}

export function makeRunCard(run: RunSummary, context: CardContext) {
  const { model, dataset, evalDataset, device, appVersion } = context;
  return {
    kind: 'inkstone-run-card',
    version: CARD_VERSION,
    writtenBy: `Inkstone ${appVersion}`,
    name: run.name,
    createdAt: new Date(run.createdAt).toISOString(),
    model: {
      id: run.modelId,
      name: model?.name,
      architecture: model?.architecture,
      parameterCount: model?.parameterCount,
      licence: model?.licence,
      revision: model?.revision,
    },
    data: {
      ...fingerprint(run.datasetId, dataset),
      evalShare: run.evalShare,
      leaveOut: run.leaveOut ?? [],
      evaluation: run.evalDatasetId ? fingerprint(run.evalDatasetId, evalDataset) : undefined,
    },
    startedFrom: run.startedFrom,
    peft: run.peft,
    training: run.training,
    device: device && {
      backend: device.backend,
      adapterName: device.adapterName,
      isSoftwareAdapter: device.isSoftwareAdapter,
      f16: device.f16,
      subgroups: device.subgroups,
      maxBufferBytes: device.maxBufferBytes,
    },
    figures: {
      status: run.status,
      step: run.step,
      totalSteps: run.totalSteps,
      trainableParams: run.trainableParams,
      allParams: run.allParams,
      lastLoss: pointsOf(run.log).at(-1)?.loss,
      elapsedMs: run.elapsedMs,
    },
    log: run.log,
    samples: run.samples,
    checkpoints: run.checkpoints.map(({ step, sizeBytes, savedAt }) => ({
      step,
      sizeBytes,
      savedAt: new Date(savedAt).toISOString(),
    })),
    error: run.error,
  };
}

const fingerprint = (id: string, dataset: DatasetSummary | undefined) => ({
  id,
  name: dataset?.name,
  sha256: dataset?.hash,
  rowCount: dataset?.rowCount,
  schema: dataset?.schema,
});

/** A name that every file system takes. */
export const cardFileName = ({ name }: RunSummary): string =>
  `${name.replace(/[^\p{L}\p{N}._-]+/gu, '-').replace(/^-+|-+$/g, '') || 'run'}.run.json`;
