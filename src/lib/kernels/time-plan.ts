/** How long a device takes for a few dispatches, where one way of doing them is to be chosen. */
import type { Arena } from '../gpu';
import { PlanBuilder, type Gpu } from '../gpu';

const REPEATS = 3;

/** @returns milliseconds of the fastest of three runs, after one that warms up */
export async function timePlan(
  gpu: Gpu,
  arena: Arena,
  label: string,
  record: (builder: PlanBuilder) => void,
): Promise<number> {
  const builder = new PlanBuilder(gpu, label);
  record(builder);
  const plan = await builder.build(arena);
  try {
    await plan.run();
    let bestMs = Infinity;
    for (let i = 0; i < REPEATS; i++) {
      const start = performance.now();
      await plan.run();
      bestMs = Math.min(bestMs, performance.now() - start);
    }
    return bestMs;
  } finally {
    plan.dispose();
  }
}
