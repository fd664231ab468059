/** Our side of the bench: the matrix kernel in a plan, and the trainer itself, one step at a call. */
import { Arena, PlanBuilder, type Gpu } from '$lib/gpu';
import { matmul } from '$lib/kernels/matmul';
import { ModelWeights, type StoredTensor } from '$lib/decoder';
import { Trainer, type TokenRow } from '$lib/training';
import type { Batch, Contender, LoraProblem, LoraStepper } from './contender';

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
    loraStep: (problem) => prepareTrainer(gpu, problem),
  };
}

/** The trainer runs by itself; its gate lets one step through at a time. */
async function prepareTrainer(gpu: Gpu, problem: LoraProblem): Promise<LoraStepper> {
  const { model, weights: values, loraConfig, training, initialValues, batches, config } = problem;
  const weights = await ModelWeights.upload(gpu, model, (name) => {
    const found = values.get(name);
    const stored: StoredTensor | undefined = found && {
      dtype: 'F32',
      shape: found.shape,
      bytes: new Uint8Array(found.data.buffer),
    };
    return Promise.resolve(stored);
  });
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
  trainer
    .run({
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
  };
}

function rowsOf(ids: Int32Array, length: number): TokenRow[] {
  return Array.from({ length: ids.length / length }, (_, row) => {
    const inputIds = ids.slice(row * length, (row + 1) * length);
    return { inputIds, labels: inputIds };
  });
}
