/** Our side of the bench: the matrix kernel and attention in plans, and the trainer itself, one step at a call. */
import { Arena, PlanBuilder, type Gpu } from '$lib/gpu';
import { matmul } from '$lib/kernels/matmul';
import { ModelWeights, type StoredTensor, type WeightStorage } from '$lib/decoder';
import { Trainer, type TokenRow } from '$lib/training';
import type { Contender, LoraStepper } from './contender';
import type { Batch, LoraProblem } from './lora-problem';
import { openAttention } from './ours-attention';

export function openOurs(gpu: Gpu): Contender {
  return {
    name: 'ours',
    async matmul(m, k, n, operands) {
      const a = gpu.createTensor('bench/a', [m, k], 'f32', operands.a);
      const b = gpu.createTensor('bench/b', [k, n], 'f32', operands.b);
      const out = gpu.createTensor('bench/out', [m, n]);
      const builder = new PlanBuilder(gpu, 'bench');
      matmul(builder, { label: '/bench', a, b, transposeB: false, out });
      const plan = await builder.build(new Arena(gpu, 'bench'));
      return async (repeats) => {
        for (let i = 1; i < repeats; i++) plan.submit();
        await plan.run();
      };
    },
    attention: (shape, operands) => openAttention(gpu, shape, operands),
    loraStep: (problem) => prepareTrainer(gpu, problem),
  };
}

/** The trainer runs by itself; its gate lets one step through at a time. @param storage of the base: f32, or bf16 */
export async function prepareTrainer(
  gpu: Gpu,
  problem: LoraProblem,
  storage: Exclude<WeightStorage, 'nf4'> = 'f32',
): Promise<LoraStepper> {
  const { model, weights: values, loraConfig, training, initialValues, batches, config } = problem;
  const weights = await ModelWeights.upload(
    gpu,
    model,
    (name) => {
      const found = values.get(name);
      return Promise.resolve(found && storedTensor(found.shape, found.data, storage === 'stored'));
    },
    { storage },
  );
  const rows = batches.flatMap(({ ids }) => rowsOf(ids, config.T));
  const trainer = await Trainer.create({
    gpu,
    config: model,
    weights,
    peft: loraConfig,
    args: training,
    rows,
    initialValues,
  });

  let open: () => void = () => {};
  let gate = new Promise<void>((resolve) => (open = resolve));
  let report: (loss: number) => void = () => {};
  let fail: (error: unknown) => void = () => {};
  const stop = new AbortController();
  const running = trainer
    .run({
      signal: stop.signal,
      gate: () => gate,
      onStep: ({ loss }) => {
        gate = new Promise<void>((resolve) => (open = resolve));
        report(loss);
      },
    })
    .catch((error: unknown) => fail(error));
  return {
    // The trainer takes its own rows in the order of `batches`.
    step: (_batch: Batch) =>
      new Promise<number>((resolve, reject) => {
        report = resolve;
        fail = reject;
        open();
      }),
    async dispose() {
      stop.abort();
      open();
      await running;
      trainer.dispose();
      weights.dispose();
    },
  };
}

function storedTensor(shape: readonly number[], data: Float32Array, halved: boolean): StoredTensor {
  if (!halved) return { dtype: 'F32', shape, bytes: new Uint8Array(data.buffer) };
  const bits = new Uint32Array(data.buffer);
  const upper = new Uint16Array(bits.length);
  for (let i = 0; i < bits.length; i++) upper[i] = bits[i] >>> 16;
  return { dtype: 'BF16', shape, bytes: new Uint8Array(upper.buffer) };
}

function rowsOf(ids: Int32Array, length: number): TokenRow[] {
  return Array.from({ length: ids.length / length }, (_, row) => {
    const inputIds = ids.slice(row * length, (row + 1) * length);
    return { inputIds, labels: inputIds };
  });
}
