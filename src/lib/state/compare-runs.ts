/** Two to four runs side by side: their curves, which of their settings differ, and what came of each. Pure. */
import { DEFAULT_TRAINING_ARGUMENTS } from '../config';
import type { RunSummary } from '../rpc/engine-api';
import { smooth, smoothSpan, type Series, type XY } from './curves';
import { evalPointsOf, pointsOf } from './run-points';

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
  settingTexts({
    ...{ modelId: run.modelId, datasetId: run.datasetId },
    initAdapter: run.startedFrom?.name,
    leaveOut: run.leaveOut?.length ? run.leaveOut : undefined,
    ...run.peft,
    // What an older run says nothing of was as it is by default.
    ...DEFAULT_TRAINING_ARGUMENTS,
    ...run.training,
  });

/** Each that there is, as PEFT and transformers would write it. */
export const settingTexts = (settings: object): Map<string, string> =>
  new Map(
    Object.entries(settings)
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

export interface Overlay {
  /** Smoothed loss of each run, then the losses of its evaluations, in the run's own look. */
  series: readonly Series[];
  /** What `series` is drawn of, as columns of a table over the steps that any of them has. */
  columns: readonly { name: string; at: ReadonlyMap<number, number> }[];
  steps: readonly number[];
}

/**
 * @param names of the runs, no two alike
 * @param evalName what a run's evaluations are called; undefined where they are not to be shown
 */
export function overlayRuns(
  runs: readonly RunSummary[],
  names: readonly string[],
  evalName: ((name: string) => string) | undefined,
): Overlay {
  const curves = runs.map(({ log }, look) => {
    const losses = pointsOf(log).map(({ step, loss }): XY => [step, loss]);
    const evals = evalName
      ? evalPointsOf(log).map(({ step, evalLoss }): XY => [step, evalLoss])
      : [];
    return { look, losses, evals };
  });
  const drawn = [
    ...curves.map(({ look, losses }) => ({
      points: losses,
      series: {
        name: names[look],
        points: smooth(losses, smoothSpan(losses.length)),
        kind: 'line' as const,
        look,
      },
    })),
    ...curves
      .filter(({ evals }) => evals.length > 0)
      .map(({ look, evals }) => ({
        points: evals,
        series: {
          name: evalName!(names[look]),
          points: evals,
          kind: 'joined' as const,
          look,
        },
      })),
  ];
  const steps = new Set(drawn.flatMap(({ points }) => points.map(([step]) => step)));
  return {
    series: drawn.map(({ series }) => series),
    columns: drawn.map(({ points, series }) => ({ name: series.name, at: new Map(points) })),
    steps: [...steps].sort((a, b) => a - b),
  };
}
