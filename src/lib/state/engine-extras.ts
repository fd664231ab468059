/**
 * Methods that the pages use when the worker has them and do without when it has not
 * (`unknown-method`). They are candidates for EngineApi, with the shapes stated here.
 */
import type { LoraConfig, TrainingArguments } from '../config';
import { RpcError } from '../rpc/errors';
import type { ApiMethod } from '../rpc/protocol';

export interface EngineExtras {
  /** What PEFT's `print_trainable_parameters` would say, from the model's config alone. */
  countParameters: ApiMethod<
    { modelId: string; lora: LoraConfig },
    { trainableParams: number; allParams: number }
  >;
  /** The recipe tuned for this model on this bundled sample; undefined where there is none. */
  recommendRecipe: ApiMethod<
    { modelId: string; datasetId: string },
    { lora: Partial<LoraConfig>; training: Partial<TrainingArguments> } | undefined
  >;
  /** Removes every file and row that Inkstone keeps on this device. */
  deleteEverything: ApiMethod<void, void>;
}

/** @returns undefined when the worker does not have the method */
export async function ifOffered<Result>(call: Promise<Result>): Promise<Result | undefined> {
  try {
    return await call;
  } catch (error) {
    const code = error instanceof RpcError ? error.code : (error as { code?: unknown }).code;
    if (code === 'unknown-method') return undefined;
    throw error;
  }
}
