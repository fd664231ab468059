/** ONNX Runtime and our own decoder over the very same weight buffers. */
import { ropeTables } from '../../../src/lib/config';
import {
  Decoder,
  ModelWeights,
  NO_ADAPTER,
  type TensorSource,
  type WeightStorage,
} from '../../../src/lib/decoder';
import { Arena, Gpu, PlanBuilder } from '../../../src/lib/gpu';
import { TextSession } from '../../../src/lib/inference';
import { indexOfLargest } from '../../../src/lib/inference/sampler';
import { createStepState } from '../../../src/lib/kernels/step-state';
import { GREEDY, idsOfLength, openModel, worst } from './comparison';
import type { TestModel } from './models';

/**
 * ONNX Runtime against our own forward over the same buffers: logits, then the choices of greedy decoding. On one device, so
 * that our kernels are compiled once.
 */
export async function ownForwardAgrees(
  cases: readonly { readonly name: string; readonly lengths: readonly number[] }[],
  storage: WeightStorage = 'f32',
) {
  const gpu = await Gpu.request(navigator.gpu);
  const results = [];
  for (const { name, lengths } of cases) {
    const opened = await openModel(name);
    const { vocabSize } = opened.config;
    const both = await openBoth(gpu, opened, storage);
    for (const length of lengths) {
      const promptIds = idsOfLength(length, vocabSize);
      const difference = worst(
        await both.session.logits(promptIds),
        await both.ownLogits(promptIds),
      );
      const { ids } = await both.session.generate({ promptIds, generation: GREEDY });
      const own = await both.ownLogits([...promptIds, ...ids]);
      const expected = ids.map((_, i) => {
        const at = (length + i - 1) * vocabSize;
        return indexOfLargest(own.subarray(at, at + vocabSize));
      });
      results.push({ name, length, difference, generated: ids, expected });
    }
    await both.dispose();
  }
  return results;
}

/** Both readers of one upload. */
async function openBoth(
  gpu: Gpu,
  { weights: floats, ...model }: TestModel,
  storage: WeightStorage,
) {
  const source: TensorSource = async (name) => {
    const value = floats.get(name);
    return (
      value && {
        dtype: 'F32',
        shape: value.shape,
        bytes: new Uint8Array(value.data.slice().buffer),
      }
    );
  };
  const weights = await ModelWeights.upload(gpu, model.config, source, { storage });
  const session = await TextSession.create({
    ...model,
    gpu: { device: gpu, weights: weights.tensors },
  });
  return {
    session,
    ownLogits: (ids: readonly number[]) => ownLogits(gpu, model.config, weights, ids),
    dispose: async () => {
      await session.dispose();
      weights.dispose();
    },
  };
}

/** (T, V) of one row of T tokens. */
async function ownLogits(
  gpu: Gpu,
  config: TestModel['config'],
  weights: ModelWeights,
  ids: readonly number[],
): Promise<Float32Array> {
  const T = ids.length;
  const tables = ropeTables(config, T);
  const shape = [T, config.headDim / 2];
  const integers = (name: string, values: readonly number[]) =>
    gpu.createTensor(name, [T], 'i32', Int32Array.from(values));
  const none = new Array<number>(T).fill(0);
  const plan = new PlanBuilder(gpu, 'own forward');
  const decoder = new Decoder(
    plan,
    {
      config,
      weights,
      adapter: NO_ADAPTER,
      rotary: {
        cos: gpu.createTensor('cos', shape, 'f32', tables.cos),
        sin: gpu.createTensor('sin', shape, 'f32', tables.sin),
      },
      batch: {
        B: 1,
        T,
        ids: integers('ids', ids),
        rowIndex: integers('rowIndex', none),
        targets: integers('targets', none),
      },
      step: createStepState(gpu),
    },
    false,
  );
  const logits = plan.keep(decoder.logits());
  const arena = new Arena(gpu, 'own forward');
  await (await plan.build(arena)).run();
  const values = await gpu.readFloats(logits);
  arena.dispose();
  return values;
}
