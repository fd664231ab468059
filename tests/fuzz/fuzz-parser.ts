/**
 * Feeds a parser mutated input and holds it to four promises: it accepts or throws an InkstoneError
 * with a code, it comes back soon, it takes memory in proportion, and it leaves no trace on the
 * prototypes that all objects share. Deterministic: a failure names the seed and the case.
 *
 * INKSTONE_FUZZ_CASES and INKSTONE_FUZZ_SEED make a longer or another hunt, INKSTONE_FUZZ_ONLY repeats
 * one case.
 */
import { getHeapStatistics } from 'node:v8';
import { InkstoneError } from '$lib/config';
import { Xoshiro128 } from '$lib/config/random';
import { reportCase, watch } from './watchdog';

const CASES = Number(process.env.INKSTONE_FUZZ_CASES ?? 10_000);
const SEED = Number(process.env.INKSTONE_FUZZ_SEED ?? 1);
const ONLY = process.env.INKSTONE_FUZZ_ONLY;

/** A page shows it: a message that quotes a whole file would fill the screen. */
const MAX_MESSAGE_CHARS = 1000;
/** Of the processor's time, not of the clock's: inputs are some kilobytes and take microseconds. */
const MAX_CASE_MS = 2000;
/** Garbage of one case included: tables made at first use, messages, error stacks. */
const FREE_BYTES = 48 * 2 ** 20;
/** A JavaScript object is some hundred bytes for the few characters that it is read from. */
const BYTES_PER_INPUT_BYTE = 500;

export interface FuzzTarget<Input, Result> {
  readonly title: string;
  /** Untouched they must be accepted: the control. */
  readonly samples: readonly Input[];
  readonly mutate: (random: Xoshiro128, sample: Input) => Input;
  readonly parse: (input: Input) => Result | Promise<Result>;
  /** Throws where an accepted result cannot be relied on. */
  readonly check?: (result: Result, input: Input) => void;
  readonly maxCaseMs?: number;
}

export interface FuzzCounts {
  accepted: number;
  /** By code. */
  readonly refused: Record<string, number>;
}

export async function fuzzParser<Input extends string | Uint8Array | object, Result>(
  target: FuzzTarget<Input, Result>,
): Promise<FuzzCounts> {
  const { title, samples, parse, check, mutate } = target;
  for (const sample of samples) check?.(await parse(sample), sample);
  const counts: FuzzCounts = { accepted: 0, refused: {} };
  const shared = describePrototypes();
  const [first, end] = ONLY === undefined ? [0, CASES] : [Number(ONLY), Number(ONLY) + 1];
  watch(`${title}, seed ${SEED}`);
  try {
    for (let index = first; index < end; index++) {
      const random = new Xoshiro128(SEED * 1_000_003 + index);
      const input = mutate(random, samples[index % samples.length]);
      reportCase(index);
      try {
        await runCase(target, input, counts);
        if (describePrototypes() !== shared) throw new Error('a shared prototype was changed');
      } catch (cause) {
        throw new Error(`${title}, case ${index} of seed ${SEED}: ${describeInput(input)}`, {
          cause,
        });
      }
    }
  } finally {
    watch('');
  }
  return counts;
}

async function runCase<Input extends string | Uint8Array | object, Result>(
  { parse, check, maxCaseMs = MAX_CASE_MS }: FuzzTarget<Input, Result>,
  input: Input,
  counts: FuzzCounts,
): Promise<void> {
  const before = takenBytes();
  const started = process.cpuUsage();
  let result: Result | undefined;
  let refusal: unknown;
  try {
    const given = parse(input);
    result = given instanceof Promise ? await given : given;
  } catch (error) {
    refusal = error;
  }
  const elapsedMs = process.cpuUsage(started).user / 1000;
  const grownBytes = takenBytes() - before;
  if (elapsedMs > maxCaseMs) throw new Error(`it took ${elapsedMs.toFixed(0)} ms`);
  const allowed = FREE_BYTES + BYTES_PER_INPUT_BYTE * sizeOf(input);
  if (grownBytes > allowed) throw new Error(`it took ${grownBytes} bytes, ${allowed} are allowed`);
  if (refusal === undefined) {
    counts.accepted++;
    check?.(result as Result, input);
  } else {
    const { code } = checkRefusal(refusal);
    counts.refused[code] = (counts.refused[code] ?? 0) + 1;
  }
}

function checkRefusal(error: unknown): InkstoneError {
  if (!(error instanceof InkstoneError)) throw error;
  if (typeof error.code !== 'string' || error.code === '')
    throw new Error('it was refused without a code', { cause: error });
  const texts = [error.message, ...Object.values(error.details).map(String)];
  const longest = Math.max(...texts.map((text) => text.length));
  if (longest > MAX_MESSAGE_CHARS)
    throw new Error(`its message has ${longest} characters`, { cause: error });
  return error;
}

function takenBytes(): number {
  const { used_heap_size, external_memory } = getHeapStatistics();
  return used_heap_size + external_memory;
}

const SHARED: readonly { readonly prototype: object }[] = [
  ...[Object, Array, Function, String, Number, Boolean, RegExp, Error, Promise, Map, Set],
  ...[Uint8Array, Float32Array],
];

/** All own keys of the prototypes that every object inherits from. */
function describePrototypes(): string {
  return SHARED.map(({ prototype }) => Reflect.ownKeys(prototype).length).join();
}

function sizeOf(input: unknown): number {
  if (typeof input === 'string') return input.length * 2;
  if (input instanceof Uint8Array) return input.byteLength;
  if (typeof input !== 'object' || input === null) return 8;
  return Object.values(input).reduce((sum: number, part) => sum + sizeOf(part), 0);
}

/** Enough to see what happened; the case's number gives the whole of it. */
function describeInput(input: unknown): string {
  if (input instanceof Uint8Array)
    return `bytes ${Buffer.from(input).toString('base64').slice(0, 2000)}`;
  const text = typeof input === 'string' ? input : JSON.stringify(input);
  return text.slice(0, 2000);
}
