/** Writes down what a run is made of while it is all at hand. */
import type { Gpu } from '../gpu';
import type {
  DatasetSummary,
  ModelSummary,
  RunDataset,
  RunDevice,
  RunProvenance,
  RunSummary,
  TrainSettings,
} from '../rpc/engine-api';
import type { DatasetLibrary } from './dataset-library';

export const describeGpu = (gpu: Gpu | undefined): RunDevice => ({
  backend: gpu ? 'webgpu' : 'wasm',
  adapterName: gpu?.adapterName ?? '',
  isSoftwareAdapter: gpu?.isSoftware ?? false,
  f16: gpu?.features.f16 ?? false,
  subgroups: gpu?.features.subgroups ?? false,
  maxBufferBytes: gpu?.device.limits.maxBufferSize ?? 0,
});

export interface ProvenanceParts {
  readonly gpu: Gpu;
  readonly model: ModelSummary;
  readonly datasets: Pick<DatasetLibrary, 'get'>;
  readonly request: Pick<TrainSettings, 'datasetId' | 'evalDatasetId'>;
}

/**
 * @param before the run that goes on, where one does: only its device may be another by now. Where an older
 *   version wrote nothing down, nobody knows any more what it began with.
 * @throws EngineError `not-found` for data that is no longer here
 */
export async function provenanceOf(
  { gpu, model, datasets, request }: ProvenanceParts,
  before: Pick<RunSummary, 'provenance'> | undefined,
): Promise<RunProvenance | undefined> {
  const device = describeGpu(gpu);
  if (before) return before.provenance && withDevice(before.provenance, device);
  const { name, architecture, parameterCount, licence, revision, weightsHash } = model;
  const { datasetId, evalDatasetId } = request;
  return {
    devices: [device],
    model: {
      ...{ name, architecture, parameterCount, licence },
      ...(revision && { revision }),
      ...(weightsHash && { weightsHash }),
    },
    dataset: describeDataset(await datasets.get(datasetId)),
    ...(evalDatasetId && { evalDataset: describeDataset(await datasets.get(evalDatasetId)) }),
  };
}

function withDevice(provenance: RunProvenance, device: RunDevice): RunProvenance {
  const isSame = (other: RunDevice) =>
    (Object.keys(device) as (keyof RunDevice)[]).every((key) => other[key] === device[key]);
  const { devices } = provenance;
  return devices.some(isSame) ? provenance : { ...provenance, devices: [...devices, device] };
}

const describeDataset = ({ name, schema, rowCount, hash }: DatasetSummary): RunDataset => ({
  ...{ name, schema, rowCount, hash },
});
