/**
 * Lengths of rows as bars of a plot, with what `max_length` cuts. Where it can, a bar ends at `max_length`; a
 * long tail of a few rows goes into one open bar at the end. Pure.
 */

export interface LengthBin {
  /** Tokens, both ends included. */
  readonly from: number;
  readonly to: number;
  readonly rows: number;
  /** Those of them that lose an answer, whole or in part. */
  readonly cutRows: number;
}

export interface LengthHistogram {
  /** Without a gap, from 1; all of one width but for the last where `hasTail`. */
  readonly bins: readonly LengthBin[];
  /** The last bar holds everything longer than the one before. */
  readonly hasTail: boolean;
  readonly longest: number;
  readonly median: number;
}

export interface MeasuredLength {
  readonly tokens: number;
  readonly isCut: boolean;
}

/** More bars are thinner than a finger on a phone. */
const MOST_BINS = 32;
const FEWEST_BINS = 12;
/** Beyond this many times `max_length`, and beyond all but a twentieth of the rows, begins the tail. */
const TAIL_FROM = 2;

export function lengthHistogram(
  rows: readonly MeasuredLength[],
  maxLength: number,
): LengthHistogram {
  if (rows.length === 0) return { bins: [], hasTail: false, longest: 0, median: 0 };
  const sorted = rows.map(({ tokens }) => tokens).sort((a, b) => a - b);
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  const longest = sorted[sorted.length - 1];
  const plain = Math.max(TAIL_FROM * maxLength, at(0.95));
  const width = binWidth(Math.min(longest, plain), maxLength);
  const count = Math.ceil(Math.min(longest, plain) / width);
  const hasTail = longest > count * width;
  const bins = Array.from({ length: count + Number(hasTail) }, (_, index) => ({
    from: index * width + 1,
    to: index < count ? (index + 1) * width : longest,
    rows: 0,
    cutRows: 0,
  }));
  for (const { tokens, isCut } of rows) {
    const bin = bins[Math.min(bins.length - 1, Math.max(0, Math.ceil(tokens / width) - 1))];
    bin.rows++;
    if (isCut) bin.cutRows++;
  }
  return { bins, hasTail, longest, median: at(0.5) };
}

/** Round, or a power of two as lengths often are; one that divides `max_length` where that lies within. */
function binWidth(span: number, maxLength: number): number {
  const round = Array.from({ length: 7 }, (_, power) =>
    [1, 2, 5].map((digit) => digit * 10 ** power),
  );
  const binary = Array.from({ length: 20 }, (_, power) => 2 ** power);
  const widths = [...new Set([...round.flat(), ...binary])].sort((a, b) => a - b);
  const wideEnough = widths.filter((width) => width * MOST_BINS >= span);
  const dividing = wideEnough.find(
    (width) => maxLength % width === 0 && width * FEWEST_BINS <= span && maxLength <= span,
  );
  return dividing ?? wideEnough[0] ?? Math.ceil(span / MOST_BINS);
}
