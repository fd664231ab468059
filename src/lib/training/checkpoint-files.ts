/**
 * A checkpoint as files: PEFT's adapter, `optimizer.safetensors` with both moments (`exp_avg`, `exp_avg_sq`; those
 * of 8 bits as `.codes` and `.absmax` beside them), `trainer_state.json`.
 */
import { parseJsonObject, type PeftConfig } from '../config';
import { Fields } from '../config/fields';
import {
  findNonFinite,
  parseSafetensorsHeader,
  serializeSafetensors,
  tensorToFloat32,
} from '../formats';
import {
  ADAPTER_CONFIG_FILE,
  ADAPTER_WEIGHTS_FILE,
  fromPlainLora,
  readAdapter,
  writeAdapter,
  type AdaptedModel,
  type AdapterLayout,
  type BaseModel,
  type LoadedAdapter,
} from '../peft';
import { adapterOf, isFactored, keptLayout } from './adapter-of';
import { TrainingError } from './errors';
import type { OptimizerState } from './moments-8bit';
import { parseTrainerState, TRAINER_STATE_FILE, writeTrainerState } from './trainer-state';
import type { PendingLoss } from './run-state';
import type { Checkpoint } from './run-options';

export const OPTIMIZER_FILE = 'optimizer.safetensors';

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
  config: PeftConfig,
  model: AdaptedModel,
  base: BaseModel | string,
): CheckpointFiles {
  const { moments, state, pendingLoss } = checkpoint;
  const encoder = new TextEncoder();
  const adapter = adapterOf(checkpoint, config, model);
  const { configJson, weights } = writeAdapter(adapter, model, base);
  const optimizer = serializeSafetensors(momentTensors(moments), {
    pending_loss: JSON.stringify(pendingLoss),
  });
  return new Map([
    [ADAPTER_CONFIG_FILE, encoder.encode(configJson)],
    [ADAPTER_WEIGHTS_FILE, weights],
    [OPTIMIZER_FILE, optimizer],
    [TRAINER_STATE_FILE, encoder.encode(writeTrainerState(state))],
  ]);
}

/**
 * @param config of the run that the checkpoint belongs to
 * @throws TrainingError `wrong-checkpoint`; PeftError; FormatError; ConfigError
 */
export function readCheckpoint(
  files: CheckpointFiles,
  config: PeftConfig,
  model: AdaptedModel,
): Checkpoint {
  const { values, initial } = readCheckpointValues(files, config, model);
  const bytes = need(files, OPTIMIZER_FILE);
  const header = parseSafetensorsHeader(bytes, {
    fileName: OPTIMIZER_FILE,
    fileSizeBytes: bytes.byteLength,
  });
  const bytesOf = (name: string, dtype: 'F32' | 'U8') => {
    const tensor = header.tensors.find((candidate) => candidate.name === name);
    if (!tensor) return undefined;
    if (tensor.dtype !== dtype) throw wrongMoments(name);
    const start = header.dataOffset;
    return bytes.slice(start + tensor.begin, start + tensor.end);
  };
  const floats = (name: string) => {
    const found = bytesOf(name, 'F32');
    const values = found && tensorToFloat32(found, 'F32');
    if (values && findNonFinite(values) >= 0)
      throw damaged(`${name} holds values that are no numbers`);
    return values;
  };
  return {
    values,
    initial,
    moments: readMoments(floats, (name) => bytesOf(name, 'U8'), values.length),
    state: parseTrainerState(readText(files, TRAINER_STATE_FILE)),
    pendingLoss: readPendingLoss(header.metadata.pending_loss),
  };
}

function momentTensors({ m, v, blocks }: OptimizerState) {
  const flat = (name: string, dtype: 'F32' | 'U8', data: Float32Array | Uint8Array) => ({
    name,
    dtype,
    shape: [data.length],
    data: new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength),
  });
  if (!blocks) return [flat('exp_avg', 'F32', m), flat('exp_avg_sq', 'F32', v)];
  const tensors = [
    flat('exp_avg', 'F32', m),
    flat('exp_avg_sq', 'F32', v),
    flat('exp_avg.codes', 'U8', blocks.mCodes),
    flat('exp_avg_sq.codes', 'U8', blocks.vCodes),
    flat('exp_avg.absmax', 'F32', blocks.mAbsmax),
    flat('exp_avg_sq.absmax', 'F32', blocks.vAbsmax),
  ];
  // Of small and large parameters a run may have none.
  return tensors.filter(({ data }) => data.length > 0);
}

/** @param parameterCount moments of 32 bits are as many */
function readMoments(
  floats: (name: string) => Float32Array | undefined,
  codes: (name: string) => Uint8Array | undefined,
  parameterCount: number,
): OptimizerState {
  const m = floats('exp_avg');
  const v = floats('exp_avg_sq');
  if (v?.some((square) => square < 0)) throw damaged('exp_avg_sq holds negative squares');
  const [mCodes, vCodes] = [codes('exp_avg.codes'), codes('exp_avg_sq.codes')];
  const absmax = (name: string) => {
    const found = floats(name);
    // Below zero, the root of a second moment would be no number.
    if (found?.some((largest) => largest < 0)) throw damaged(`${name} holds magnitudes below zero`);
    return found;
  };
  const [mAbsmax, vAbsmax] = [absmax('exp_avg.absmax'), absmax('exp_avg_sq.absmax')];
  if (mCodes && vCodes && mAbsmax && vAbsmax) {
    if (mCodes.length !== vCodes.length || mAbsmax.length !== vAbsmax.length)
      throw wrongMoments('exp_avg.codes');
    const none = new Float32Array();
    return { m: m ?? none, v: v ?? none, blocks: { mCodes, vCodes, mAbsmax, vAbsmax } };
  }
  if (m?.length !== parameterCount) throw wrongMoments('exp_avg');
  if (v?.length !== parameterCount) throw wrongMoments('exp_avg_sq');
  return { m, v };
}

const wrongMoments = (name: string) =>
  new TrainingError(
    'wrong-checkpoint',
    `${OPTIMIZER_FILE}: ${name} does not fit the adapter beside it. Resume from another checkpoint.`,
  );

/**
 * The parameters alone, which a checkpoint keeps even where its optimiser's state is given up.
 * @throws as readCheckpoint
 */
export function readCheckpointValues(
  files: CheckpointFiles,
  config: PeftConfig,
  model: AdaptedModel,
): Pick<Checkpoint, 'values' | 'initial'> {
  const configJson = readText(files, ADAPTER_CONFIG_FILE);
  const adapter = readAdapter({ configJson, weights: need(files, ADAPTER_WEIGHTS_FILE) }, model);
  requireLayout(adapter, config, model);
  return isFactored(config)
    ? fromPlainLora(config, model, adapter.values)
    : { values: adapter.values, initial: undefined };
}

/** The files' own config tells what they hold; a run goes on only with the parameters that it has. */
function requireLayout({ layout }: LoadedAdapter, config: PeftConfig, model: AdaptedModel): void {
  const kept = keptLayout(config, model);
  const describe = ({ parameters }: AdapterLayout) =>
    parameters.map(({ key, shape }) => `${key} ${shape}`).join('\n');
  if (describe(layout) === describe(kept)) return;
  throw new TrainingError(
    'wrong-checkpoint',
    'The checkpoint holds other parameters than the run trains. Resume with the settings that it was made with.',
    { details: { found: layout.trainableCount, allowed: kept.trainableCount } },
  );
}

function readPendingLoss(text = '{"sum":0,"count":0}'): PendingLoss {
  const fields = new Fields(parseJsonObject(text, OPTIMIZER_FILE), OPTIMIZER_FILE);
  const optional = (name: 'gradNorm' | 'learningRate') =>
    fields.has(name) ? { [name]: fields.number(name, undefined) } : {};
  return {
    sum: fields.number('sum', 0),
    count: fields.integer('count', 0, { min: 0 }),
    ...optional('gradNorm'),
    ...optional('learningRate'),
  };
}

const damaged = (found: string): TrainingError =>
  new TrainingError(
    'wrong-checkpoint',
    `${OPTIMIZER_FILE}: ${found}. Resume from another checkpoint.`,
  );

const readText = (files: CheckpointFiles, name: string) =>
  new TextDecoder().decode(need(files, name));

function need(files: CheckpointFiles, name: string): Uint8Array {
  const bytes = files.get(name);
  if (!bytes)
    throw new TrainingError(
      'wrong-checkpoint',
      `The checkpoint has no file ${name}: it is incomplete.`,
    );
  return bytes;
}
