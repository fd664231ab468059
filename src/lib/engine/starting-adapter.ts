/**
 * Where a further round begins: an adapter's values and the options that it was made with. After its first
 * checkpoint a run no longer needs the adapter that it started from; its record keeps the name.
 */
import type { ModelConfig, PeftConfig } from '../config';
import type { AdapterOrigin } from '../rpc/engine-api';
import type { AdapterLibrary } from './adapter-library';

export interface StartingAdapter {
  readonly peft: PeftConfig;
  /** Flat, in the order of the layout of `peft`. */
  readonly initialValues: Float32Array;
  readonly startedFrom: AdapterOrigin;
}

/** @throws EngineError `not-found`, `wrong-model`; PeftError */
export async function startFromAdapter(
  adapters: AdapterLibrary,
  adapterId: string,
  modelId: string,
  model: ModelConfig,
): Promise<StartingAdapter> {
  const { id, name, step } = await adapters.get(adapterId);
  const { config, values } = await adapters.load(id, modelId, model);
  return { peft: config, initialValues: values, startedFrom: { adapterId: id, name, step } };
}
