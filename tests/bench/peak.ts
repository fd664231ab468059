/** The adapter's peak: a kernel of multiply-adds and nothing else, against which products are held. */
import { Arena, PlanBuilder, write, type Gpu } from '$lib/gpu';
import type { Rated } from './measure';
import PEAK from './peak.wgsl?raw';

const GROUPS = 512;
/** Workgroup size, sums, steps a turn and turns of peak.wgsl. */
const THREADS = 64;
const SUMS = 12;
const STEPS = 64;
const TURNS = 20;

/** @param real what is multiplied and added; f16 needs an adapter that has it */
export async function openPeak(gpu: Gpu, real: 'f32' | 'f16' = 'f32'): Promise<Rated> {
  const prelude = `${real === 'f16' ? 'enable f16;\n' : ''}alias Real = ${real};\n`;
  const builder = new PlanBuilder(gpu, 'bench/peak');
  const out = gpu.createTensor('bench/peak', [GROUPS * THREADS]);
  builder.dispatch({
    label: '/peak',
    kernel: { name: `peak-${real}`, wgsl: prelude + PEAK },
    bindings: [write(out)],
    grid: [GROUPS],
  });
  const plan = await builder.build(new Arena(gpu, 'bench/peak'));
  return {
    operations: 2 * GROUPS * THREADS * SUMS * STEPS * TURNS,
    run: async (repeats) => {
      for (let i = 1; i < repeats; i++) plan.submit();
      await plan.run();
    },
    dispose: () => {
      plan.dispose();
      gpu.destroyTensor(out);
    },
  };
}
