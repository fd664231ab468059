/**
 * Rows of tokens become micro-batches: which rows when, padded on the right, with the positions
 * that have a target compacted to the front. Pure; the order is a function of the seed alone.
 */
import { Xoshiro128 } from '../config/random';
import { TrainingError } from './errors';

/** Label of a position without loss, as PyTorch has it. */
export const IGNORED = -100;

/** Lengths are padded to a multiple of this many tokens, so that few plans serve all batches. */
export const LENGTH_STEP = 16;

/** Tokens of a row of so many once it is padded. */
export const paddedTokens = (length: number): number =>
  Math.ceil(length / LENGTH_STEP) * LENGTH_STEP;

export interface TokenRow {
  readonly inputIds: Int32Array;
  /** As long as inputIds; IGNORED where there is no loss. The first label never counts. */
  readonly labels: Int32Array;
  /** Of a packed row: where each of its sequences begins, 0 first. Their first labels are IGNORED. */
  readonly starts?: readonly number[];
}

export interface MicroBatch {
  readonly B: number;
  readonly T: number;
  /** (B * T) */
  readonly ids: Int32Array;
  /** (B * T); the first `targetCount` are positions whose next token is a target. */
  readonly rowIndex: Int32Array;
  readonly targets: Int32Array;
  readonly targetCount: number;
  /** Tokens that are no padding. */
  readonly tokenCount: number;
  /** Tokens of the longest row: what the Trainer pads to, T here being rounded up. */
  readonly longest: number;
  /** Of packed rows. */
  readonly segments: Segments | undefined;
}

/** What keeps the sequences of packed rows apart. */
export interface Segments {
  /** (B * T): position in its own sequence; 0 for padding. */
  readonly positions: Int32Array;
  /** (B * T): place in the row where its sequence begins; its own for padding. */
  readonly firstKeys: Uint32Array;
}

/** Targets of a row: labels after the first that are not ignored. */
export function countTargets({ labels }: TokenRow): number {
  let count = 0;
  for (let t = 1; t < labels.length; t++) if (labels[t] !== IGNORED) count++;
  return count;
}

export function longestRow(rows: readonly TokenRow[]): number {
  return rows.reduce((max, { inputIds }) => Math.max(max, inputIds.length), 1);
}

export function paddedLength(rows: readonly TokenRow[]): number {
  return paddedTokens(longestRow(rows));
}

export function collate(rows: readonly TokenRow[]): MicroBatch {
  const B = rows.length;
  const T = paddedLength(rows);
  const ids = new Int32Array(B * T);
  const rowIndex = new Int32Array(B * T);
  const targets = new Int32Array(B * T);
  let targetCount = 0;
  let tokenCount = 0;
  rows.forEach(({ inputIds, labels }, b) => {
    ids.set(inputIds, b * T);
    tokenCount += inputIds.length;
    for (let t = 1; t < labels.length; t++) {
      if (labels[t] === IGNORED) continue;
      rowIndex[targetCount] = b * T + t - 1;
      targets[targetCount] = labels[t];
      targetCount++;
    }
  });
  const segments = rows.some(({ starts }) => starts) ? segmentsOf(rows, T) : undefined;
  const longest = longestRow(rows);
  return { B, T, ids, rowIndex, targets, targetCount, tokenCount, longest, segments };
}

function segmentsOf(rows: readonly TokenRow[], T: number): Segments {
  const positions = new Int32Array(rows.length * T);
  const firstKeys = new Uint32Array(rows.length * T);
  rows.forEach(({ inputIds, starts = [0] }, b) => {
    starts.forEach((start, i) => {
      const end = starts[i + 1] ?? inputIds.length;
      for (let t = start; t < end; t++) positions[b * T + t] = t - start;
      firstKeys.fill(start, b * T + start, b * T + end);
    });
    for (let t = inputIds.length; t < T; t++) firstKeys[b * T + t] = t;
  });
  return { positions, firstKeys };
}

/**
 * Row numbers in the order of one epoch (from 0): that of the file, or a Fisher-Yates shuffle by xoshiro128** seeded
 * with seed + epoch, from the last place down, spelled out in tests/reference/README.md ("Our own draws").
 */
export function epochOrder(
  rowCount: number,
  seed: number,
  epoch: number,
  shuffle: boolean,
): number[] {
  const order = Array.from({ length: rowCount }, (_, index) => index);
  if (!shuffle) return order;
  const random = new Xoshiro128((seed + epoch) >>> 0);
  for (let last = rowCount - 1; last > 0; last--) {
    const other = random.nextBelow(last + 1);
    [order[last], order[other]] = [order[other], order[last]];
  }
  return order;
}

export function chunk<T>(items: readonly T[], size: number): T[][] {
  const chunks: T[][] = [];
  for (let start = 0; start < items.length; start += size)
    chunks.push(items.slice(start, start + size));
  return chunks;
}

/** @throws TrainingError `no-rows`, `no-targets`, `too-long`, `wrong-token` */
export function checkRows(
  rows: readonly TokenRow[],
  vocabSize: number,
  maxPositions: number,
): void {
  if (rows.length === 0)
    throw new TrainingError('no-rows', 'There is no row to train on. At least one is needed.');
  if (rows.every((row) => countTargets(row) === 0))
    throw new TrainingError(
      'no-targets',
      'No row has an answer to learn from: every answer is empty or cut off. Raise max_length or shorten the prompts.',
    );
  rows.forEach(({ inputIds, labels }, index) => {
    if (inputIds.length > maxPositions)
      throw new TrainingError(
        'too-long',
        `Row ${index + 1} has ${inputIds.length} tokens, the model reads at most ${maxPositions}. Lower max_length.`,
        { details: { row: index + 1, found: inputIds.length, allowed: maxPositions } },
      );
    const isToken = (id: number) => id >= 0 && id < vocabSize;
    const bad =
      inputIds.find((id) => !isToken(id)) ?? labels.find((id) => id !== IGNORED && !isToken(id));
    if (bad !== undefined)
      throw new TrainingError(
        'wrong-token',
        `Row ${index + 1} has the token ${bad}, the model knows 0 to ${vocabSize - 1}. The rows were made with another tokenizer.`,
        { details: { row: index + 1, found: bad, allowed: vocabSize - 1 } },
      );
  });
}
