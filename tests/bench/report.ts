/** Turns figures into the bench's records, its table and its entry in the log. */

export interface BenchRecord {
  readonly name: string;
  readonly metric: string;
  readonly ours: number;
  readonly peer: string;
  readonly theirs: number;
  /** Above 1 = ours better, whatever the metric. */
  readonly ratio: number;
  readonly adapter: string;
  /** ISO date. */
  readonly date: string;
}

/** Metrics of which less is better. */
const LESS_IS_BETTER = new Set([
  's a step',
  'compile s',
  'MB at the peak',
  'dispatches a step',
  'command buffers a step',
  'share of a step',
]);

export function recordsOf(
  name: string,
  metric: string,
  figures: ReadonlyMap<string, number>,
  { adapter, date }: { adapter: string; date: string },
): BenchRecord[] {
  const ours = figures.get('ours');
  if (ours === undefined) return [];
  return (
    [...figures]
      // Compilation is a difference of two times: what is lost in their noise, or cached on disk, has no ratio.
      .filter(([peer, theirs]) => peer !== 'ours' && theirs > 0 && ours > 0)
      .map(([peer, theirs]) => {
        const ratio = LESS_IS_BETTER.has(metric) ? theirs / ours : ours / theirs;
        return {
          ...{ name, metric, ours: rounded(ours), peer, theirs: rounded(theirs) },
          ...{ ratio: rounded(ratio), adapter, date },
        };
      })
  );
}

export function formatTable(records: readonly BenchRecord[]): string {
  const rows = [
    ['what', 'metric', 'ours', 'peer', 'theirs', 'ratio'],
    ['---', '---', '---:', '---', '---:', '---:'],
    ...records.map(({ name, metric, ours, peer, theirs, ratio }) =>
      [name, metric, ours, peer, theirs, ratio].map(String),
    ),
  ];
  return rows.map((row) => `| ${row.join(' | ')} |`).join('\n');
}

/** Three significant figures. */
function rounded(value: number): number {
  return Number(value.toPrecision(3));
}
