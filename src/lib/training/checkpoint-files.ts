/** A checkpoint as files: PEFT's adapter, `optimizer.safetensors` with both moments, `trainer_state.json`. */
import { parseJsonObject, type LoraConfig, type PeftConfig } from '../config';
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
  layoutAdapter,
  plainLoraConfig,
  readAdapter,
  writeAdapter,
  type AdaptedModel,
  type AdapterLayout,
  type LoadedAdapter,
} from '../peft';
import { adapterOf, isFactored } from './adapter-of';
import { TrainingError } from './errors';
import { parseTrainerState, TRAINER_STATE_FILE, writeTrainerState } from './trainer-state';
import type { Checkpoint } from './trainer';

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
  baseModelName: string,
): CheckpointFiles {
  const { moments, state, pendingLoss } = checkpoint;
  const encoder = new TextEncoder();
  const adapter = adapterOf(checkpoint, config, model);
  const { configJson, weights } = writeAdapter(adapter, model, baseModelName);
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

/**
 * @param config of the run that the checkpoint belongs to
 * @throws TrainingError `wrong-checkpoint`; PeftError; FormatError; ConfigError
 */
export function readCheckpoint(
  files: CheckpointFiles,
  config: PeftConfig,
  model: AdaptedModel,
): Checkpoint {
  const text = (name: string) => new TextDecoder().decode(need(files, name));
  const adapter = readAdapter(
    { configJson: text(ADAPTER_CONFIG_FILE), weights: need(files, ADAPTER_WEIGHTS_FILE) },
    model,
  );
  requireLayout(adapter, config, model);
  const { values, initial } = isFactored(config)
    ? fromPlainLora(config, model, requireRank(adapter, config))
    : { values: adapter.values, initial: undefined };
  const bytes = need(files, OPTIMIZER_FILE);
  const header = parseSafetensorsHeader(bytes, {
    fileName: OPTIMIZER_FILE,
    fileSizeBytes: bytes.byteLength,
  });
  const moment = (name: string) => {
    const tensor = header.tensors.find((candidate) => candidate.name === name);
    if (!tensor || tensor.dtype !== 'F32' || String(tensor.shape) !== String([values.length]))
      throw damaged(`${name} does not fit the adapter beside it`);
    const { begin, end } = tensor;
    const start = header.dataOffset;
    const moments = tensorToFloat32(bytes.subarray(start + begin, start + end), 'F32');
    if (findNonFinite(moments) >= 0) throw damaged(`${name} holds values that are no numbers`);
    return moments;
  };
  const squares = moment('exp_avg_sq');
  if (squares.some((square) => square < 0)) throw damaged('exp_avg_sq holds negative squares');
  return {
    values,
    initial,
    moments: { m: moment('exp_avg'), v: squares },
    state: parseTrainerState(text(TRAINER_STATE_FILE)),
    pendingLoss: readPendingLoss(header.metadata.pending_loss),
  };
}

/** The files' own config tells what they hold; a run goes on only with the parameters that it has. */
function requireLayout({ layout }: LoadedAdapter, config: PeftConfig, model: AdaptedModel): void {
  const kept = layoutAdapter(model, isFactored(config) ? plainLoraConfig(config) : config);
  const describe = ({ parameters }: AdapterLayout) =>
    parameters.map(({ key, shape }) => `${key} ${shape}`).join('\n');
  if (describe(layout) === describe(kept)) return;
  throw new TrainingError(
    'wrong-checkpoint',
    'The checkpoint holds other parameters than the run trains. Resume with the settings that it was made with.',
    { details: { found: layout.trainableCount, allowed: kept.trainableCount } },
  );
}

function requireRank({ config: found, values }: LoadedAdapter, config: LoraConfig): Float32Array {
  if (found.peft_type !== 'LORA' || found.r !== 2 * config.r)
    throw new TrainingError(
      'wrong-checkpoint',
      `The checkpoint's adapter is not the plain LoRA of rank ${2 * config.r} that a run of rank ${config.r} with ${config.init_lora_weights} leaves. Resume with the settings that it was made with.`,
    );
  return values;
}

function readPendingLoss(text = '{"sum":0,"count":0}'): { sum: number; count: number } {
  const fields = new Fields(parseJsonObject(text, OPTIMIZER_FILE), OPTIMIZER_FILE);
  return { sum: fields.number('sum', 0), count: fields.integer('count', 0, { min: 0 }) };
}

const damaged = (found: string): TrainingError =>
  new TrainingError(
    'wrong-checkpoint',
    `${OPTIMIZER_FILE}: ${found}. Resume from another checkpoint.`,
  );

function need(files: CheckpointFiles, name: string): Uint8Array {
  const bytes = files.get(name);
  if (!bytes)
    throw new TrainingError(
      'wrong-checkpoint',
      `The checkpoint has no file ${name}: it is incomplete.`,
    );
  return bytes;
}
