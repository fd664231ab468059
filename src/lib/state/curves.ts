/** What a plot needs of its numbers: thinning, smoothing, and axes with round marks. Pure. */
export type XY = readonly [x: number, y: number];

export interface Series {
  name: string;
  points: readonly XY[];
  /** `raw` is thin and pale behind the others; `dots` are single measurements, `joined` ones with a thin line. */
  kind: 'line' | 'raw' | 'dots' | 'joined';
  /** Which of the four ways to draw it: each has its own dashes, so that colour is not needed. */
  look: number;
}

export interface Mark {
  value: number;
  /** 0 at the axis' start, 1 at its end. */
  at: number;
}

export interface Axis {
  place: (value: number) => number;
  marks: readonly Mark[];
}

/** Every nth point, so that at most so many stay; the first and the last always do. */
export function thin<Item>(items: readonly Item[], most: number): Item[] {
  const stride = Math.max(1, Math.ceil((items.length - 1) / Math.max(1, most - 1)));
  return items.filter((_, index) => index % stride === 0 || index === items.length - 1);
}

/**
 * Exponential mean over about `span` points, corrected for its start: the first value is the first
 * point's own. A value that is no number is left out.
 */
export function smooth(points: readonly XY[], span: number): XY[] {
  const keep = 1 - 1 / Math.max(1, span);
  let mean = 0;
  let weight = 0;
  return points
    .filter(([, y]) => Number.isFinite(y))
    .map(([x, y]) => {
      mean = keep * mean + (1 - keep) * y;
      weight = keep * weight + (1 - keep);
      return [x, weight > 0 ? mean / weight : y];
    });
}

/** Fewer points are shown as they are: a mean over some of them would lag behind all of them. */
const FEWEST_TO_SMOOTH = 20;

/** A twentieth of a run and no fewer than three points: less would not smooth at all. */
export const smoothSpan = (count: number): number =>
  count < FEWEST_TO_SMOOTH ? 1 : Math.max(3, Math.round(count / 20));

/** An axis over these values with a few marks at 1, 2 or 5 times a power of ten. */
export function linearAxis(values: readonly number[], wanted: number): Axis {
  const [least, most] = extent(values);
  const step = roundStep((most - least || Math.abs(most) || 1) / wanted);
  const low = Math.floor(least / step + 1e-9) * step;
  const high = Math.max(Math.ceil(most / step - 1e-9) * step, low + step);
  const place = (value: number): number => (value - low) / (high - low);
  const count = Math.round((high - low) / step);
  const marks = Array.from({ length: count + 1 }, (_, index) => {
    const value = Number((low + index * step).toPrecision(12));
    return { value, at: place(value) };
  });
  return { place, marks };
}

/** An axis that begins and ends with its values, for steps: a run fills its plot. */
export function exactAxis(values: readonly number[], wanted: number): Axis {
  const [low, most] = extent(values);
  const high = most > low ? most : low + 1;
  const place = (value: number): number => (value - low) / (high - low);
  const { marks } = linearAxis([low, high], wanted);
  return {
    place,
    marks: marks
      .map(({ value }) => ({ value, at: place(value) }))
      .filter(({ at }) => at >= 0 && at <= 1),
  };
}

/** A logarithmic axis; values at or below zero have no place on it and are left out. */
export function logAxis(values: readonly number[], wanted: number): Axis {
  const [least, most] = extent(values.filter((value) => value > 0));
  if (!(least > 0)) return linearAxis([0, 1], wanted);
  const low = Math.log10(least);
  const high = Math.max(Math.log10(most), low + 0.05);
  const place = (value: number): number => (Math.log10(value) - low) / (high - low);
  const inside: number[] = [];
  for (let power = Math.floor(low); power <= high; power++)
    for (const digit of high - low > wanted ? [1] : [1, 2, 5]) {
      const value = Number((digit * 10 ** power).toPrecision(1));
      if (place(value) >= 0 && place(value) <= 1) inside.push(value);
    }
  // Within one digit there is no round mark, or only one: the ends are named instead.
  const ends = [least, most].map((value) => Number(value.toPrecision(3)));
  return {
    place,
    marks: thin(inside.length > 1 ? inside : [...new Set(ends)], wanted + 1).map((value) => ({
      value,
      at: Math.min(1, Math.max(0, place(value))),
    })),
  };
}

function extent(values: readonly number[]): [number, number] {
  let least = Infinity;
  let most = -Infinity;
  for (const value of values)
    if (Number.isFinite(value)) {
      least = Math.min(least, value);
      most = Math.max(most, value);
    }
  return least > most ? [0, 1] : [least, most];
}

function roundStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  // 1e-4 / 1e-4 may be a little above 1.
  const digit = (rough / power) * (1 - 1e-9);
  return power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
}
