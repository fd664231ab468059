/** What the rows of the bench share: who takes part, on which adapter, and where figures go. */
import type { Gpu } from '$lib/gpu';
import type { Contender } from './contender';
import type { GpuWatch } from './gpu-watch';
import type { Rated, Rates } from './measure';
import { recordsOf, type BenchRecord } from './report';

/** Said of a metric that is by processor time: see measure.ts. */
const PROCESSOR = ' of processor time';

export class Bench {
  readonly records: BenchRecord[] = [];

  constructor(
    readonly gpu: Gpu,
    readonly watch: GpuWatch,
    /** Ours first. */
    readonly contenders: readonly Contender[],
    readonly peak: Rated,
    private readonly where: { adapter: string; date: string },
    private readonly only: string | undefined,
  ) {}

  /** Whether one of these rows is asked for. */
  wanted(...names: readonly string[]): boolean {
    const { only = '' } = this;
    return names.some((name) => name.startsWith(only));
  }

  say(line: string): void {
    console.log(line);
  }

  keep(name: string, metric: string, figures: ReadonlyMap<string, number>): void {
    const found = recordsOf(name, metric, figures, this.where);
    this.records.push(...found);
    for (const { ours, peer, theirs, ratio } of found)
      this.say(`  ${metric}: ours ${ours}, ${peer} ${theirs}, ratio ${ratio}`);
  }

  /** By the clock; on a software adapter also by processor time. */
  keepTimed<Figures>(
    name: string,
    metric: string,
    figures: ReadonlyMap<string, Figures>,
    byClock: (figure: Figures) => number,
    byProcessor: (figure: Figures) => number,
  ): void {
    this.keep(name, metric, pick(figures, byClock));
    if (this.gpu.isSoftware) this.keep(name, `${metric}${PROCESSOR}`, pick(figures, byProcessor));
  }

  keepRates(name: string, rates: ReadonlyMap<string, Rates>): void {
    this.keepTimed(
      name,
      'GFLOP/s',
      rates,
      ({ gflops }) => gflops,
      ({ processorGflops }) => processorGflops,
    );
  }
}

/** One figure of each; those that have none are left out. */
export function pick<Figures>(
  figures: ReadonlyMap<string, Figures>,
  of: (figure: Figures) => number | undefined,
): Map<string, number> {
  const found = new Map<string, number>();
  for (const [name, figure] of figures) {
    const value = of(figure);
    if (value !== undefined) found.set(name, value);
  }
  return found;
}
