/** Two to four runs side by side: which of their settings differ, and what came of each. Pure. */
import type { RunSummary } from '../rpc/engine-api';

export const MOST_COMPARED = 4;

/** A setting in which the runs differ, with each run's value as PEFT and transformers would write it. */
export interface Difference {
  /** Verbatim from outside: `learning_rate`, `r`, or ours: `modelId`, `datasetId`, `initAdapter`, `leaveOut`. */
  name: string;
  /** Undefined where a run has no such setting. */
  values: readonly (string | undefined)[];
}

export function differingSettings(runs: readonly RunSummary[]): Difference[] {
  const settings = runs.map(settingsOf);
  const names = [...new Set(settings.flatMap((one) => [...one.keys()]))];
  return names
    .map((name) => ({ name, values: settings.map((one) => one.get(name)) }))
    .filter(({ values }) => values.some((value) => value !== values[0]));
}

const settingsOf = (run: RunSummary): Map<string, string> =>
  new Map(
    Object.entries({
      ...{ modelId: run.modelId, datasetId: run.datasetId },
      initAdapter: run.startedFrom?.name,
      leaveOut: run.leaveOut?.length ? run.leaveOut : undefined,
      ...run.peft,
      ...run.training,
    })
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, write(value)]),
  );

function write(value: unknown): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.join(', ');
  return typeof value === 'number' && value !== 0 && Math.abs(value) < 0.001
    ? value.toExponential()
    : JSON.stringify(value);
}
