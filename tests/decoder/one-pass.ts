/** One micro-batch forward and backward through the decoder, outside of any trainer. */
import { linearSites, type ModelConfig } from '$lib/config';
import { ropeTables } from '$lib/config/rope';
import { Decoder, prepareAdapter, type BatchTensors, type ModelWeights } from '$lib/decoder';
import { Arena, PlanBuilder, type Gpu } from '$lib/gpu';
import { sumLoss } from '$lib/kernels/cross-entropy';
import { createStepState, uploadStepState } from '$lib/kernels/step-state';
import type { AdapterState } from '$lib/peft';
import { collate, type TokenRow } from '$lib/training/batches';

export interface PassOptions {
  /** (B, T, C) with the T of `paddedLength` */
  embeddingNoise?: Float32Array;
  gradientCheckpointing?: boolean;
  labelSmoothing?: number;
  /** The logits are an evaluation's, without dropout, where left out. */
  logitsInTraining?: boolean;
}

/** @returns mean loss over the targets, logits (B, T, V), the adapter's flat gradients, and T */
export async function onePass(
  gpu: Gpu,
  model: { config: ModelConfig; weights: ModelWeights; adapter: AdapterState },
  rows: readonly TokenRow[],
  { embeddingNoise, logitsInTraining = false, ...options }: PassOptions = {},
) {
  const { config, adapter } = model;
  const micro = collate(rows);
  const { B, T, segments } = micro;
  const integers = (name: string, data: Int32Array) => gpu.createTensor(name, [B * T], 'i32', data);
  const batch: BatchTensors = {
    B,
    T,
    ids: integers('ids', micro.ids),
    rowIndex: integers('rowIndex', micro.rowIndex),
    targets: integers('targets', micro.targets),
    segments: segments && {
      positions: integers('positions', segments.positions),
      firstKeys: gpu.createTensor('firstKeys', [B * T], 'u32', segments.firstKeys),
    },
  };
  const step = createStepState(gpu);
  uploadStepState(gpu, step, {
    dropoutSeed: 1,
    targetCount: micro.targetCount,
    lossScale: 1 / micro.targetCount,
    learningRate: 0,
    biasCorrection1: 1,
    biasCorrection2: 1,
  });
  const tables = ropeTables(config, T);
  const half = [T, config.headDim / 2];
  const rotary = {
    cos: gpu.createTensor('cos', half, 'f32', tables.cos),
    sin: gpu.createTensor('sin', half, 'f32', tables.sin),
  };
  const noise =
    embeddingNoise && gpu.createTensor('noise', [B * T, config.hiddenSize], 'f32', embeddingNoise);
  const input = { ...model, ...options, rotary, batch, step, embeddingNoise: noise };
  const plan = new PlanBuilder(gpu, 'train');
  prepareAdapter(plan, linearSites(config), model.weights, adapter);
  const loss = plan.tensor('loss', [B * T]);
  const total = gpu.createTensor('total', [1]);
  new Decoder(plan, input, true).train(loss);
  sumLoss(plan, { label: '/total', loss, total });
  await (await plan.build(new Arena(gpu, 'train'))).run();
  const reading = new PlanBuilder(gpu, 'logits');
  const logits = reading.keep(new Decoder(reading, input, logitsInTraining).logits());
  await (await reading.build(new Arena(gpu, 'logits'))).run();
  return {
    loss: (await gpu.readFloats(total))[0] / micro.targetCount,
    logits: await gpu.readFloats(logits),
    grads: await gpu.readFloats(adapter.training!.grads),
    T,
  };
}
