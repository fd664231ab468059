/** A checkpoint as files: PEFT's adapter, `optimizer.safetensors` with both moments, `trainer_state.json`. */
import type { LoraConfig } from '../config';
import { parseSafetensorsHeader, serializeSafetensors, tensorToFloat32 } from '../formats';
import {
  ADAPTER_CONFIG_FILE,
  ADAPTER_WEIGHTS_FILE,
  readAdapter,
  writeAdapter,
  type LinearLayer,
  type LoraLayout,
} from '../peft';
import { TrainingError } from './errors';
import { parseTrainerState, TRAINER_STATE_FILE, writeTrainerState } from './trainer-state';
import type { PendingLoss } from './run-state';
import type { Checkpoint } from './trainer';

const OPTIMIZER_FILE = 'optimizer.safetensors';

export const CHECKPOINT_FILES = [
  ADAPTER_CONFIG_FILE,
  ADAPTER_WEIGHTS_FILE,
  OPTIMIZER_FILE,
  TRAINER_STATE_FILE,
] as const;

/** File name -> content. */
export type CheckpointFiles = ReadonlyMap<string, Uint8Array>;

export function writeCheckpoint(
  checkpoint: Checkpoint,
  layout: LoraLayout,
  config: LoraConfig,
  baseModelName: string,
): CheckpointFiles {
  const { values, moments, state, pendingLoss } = checkpoint;
  const encoder = new TextEncoder();
  const { configJson, weights } = writeAdapter(config, layout, values, baseModelName);
  const flat = (name: string, data: Float32Array) => ({
    name,
    dtype: 'F32' as const,
    shape: [data.length],
    data: new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength),
  });
  const optimizer = serializeSafetensors(
    [flat('exp_avg', moments.m), flat('exp_avg_sq', moments.v)],
    {
      pending_loss: JSON.stringify(pendingLoss),
    },
  );
  return new Map([
    [ADAPTER_CONFIG_FILE, encoder.encode(configJson)],
    [ADAPTER_WEIGHTS_FILE, weights],
    [OPTIMIZER_FILE, optimizer],
    [TRAINER_STATE_FILE, encoder.encode(writeTrainerState(state))],
  ]);
}

/** @throws TrainingError `wrong-checkpoint`; PeftError; FormatError; ConfigError */
export function readCheckpoint(files: CheckpointFiles, layers: readonly LinearLayer[]): Checkpoint {
  const text = (name: string) => new TextDecoder().decode(need(files, name));
  const { values } = readAdapter(
    { configJson: text(ADAPTER_CONFIG_FILE), weights: need(files, ADAPTER_WEIGHTS_FILE) },
    layers,
  );
  const bytes = need(files, OPTIMIZER_FILE);
  const header = parseSafetensorsHeader(bytes, {
    fileName: OPTIMIZER_FILE,
    fileSizeBytes: bytes.byteLength,
  });
  const moment = (name: string) => {
    const tensor = header.tensors.find((candidate) => candidate.name === name);
    if (!tensor || tensor.dtype !== 'F32' || tensor.shape[0] !== values.length)
      throw new TrainingError(
        'wrong-checkpoint',
        `${OPTIMIZER_FILE}: ${name} does not fit the adapter beside it. Resume from another checkpoint.`,
      );
    const { begin, end } = tensor;
    const start = header.dataOffset;
    return tensorToFloat32(bytes.subarray(start + begin, start + end), 'F32').slice();
  };
  return {
    values,
    moments: { m: moment('exp_avg'), v: moment('exp_avg_sq') },
    state: parseTrainerState(text(TRAINER_STATE_FILE)),
    pendingLoss: readPendingLoss(header.metadata.pending_loss),
  };
}

function readPendingLoss(text = '{}'): PendingLoss {
  const found = JSON.parse(text) as Partial<PendingLoss>;
  const { gradNorm, learningRate } = found;
  return {
    sum: Number(found.sum) || 0,
    count: Number(found.count) || 0,
    ...(gradNorm !== undefined && { gradNorm: Number(gradNorm) || 0 }),
    ...(learningRate !== undefined && { learningRate: Number(learningRate) || 0 }),
  };
}

function need(files: CheckpointFiles, name: string): Uint8Array {
  const bytes = files.get(name);
  if (!bytes)
    throw new TrainingError(
      'wrong-checkpoint',
      `The checkpoint has no file ${name}: it is incomplete.`,
    );
  return bytes;
}
