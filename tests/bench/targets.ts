/** What the engine is to reach, as rows of the bench tell: `npm run bench -- --check` fails where one falls short. */
import type { BenchRecord } from './report';

export interface Shortfall {
  readonly record: BenchRecord;
  /** That its ratio is to have. */
  readonly wanted: readonly [least: number, most: number];
}

/** Elements of the smallest product whose share of the peak counts, M x K x N. */
const LARGE = 512 ** 3;

const TARGETS: readonly {
  readonly isMeant: (record: BenchRecord) => boolean;
  readonly wanted: Shortfall['wanted'];
}[] = [
  // Three times the better of the peers that train on WebGPU; ahead of jax-js on the processor.
  {
    isMeant: ({ name, metric, peer }) =>
      isOf(name, 'lora-step') &&
      metric === 'tokens/s' &&
      ['jax-js', 'tfjs-backend-webgpu'].includes(peer),
    wanted: [3, Infinity],
  },
  {
    isMeant: ({ name, metric, peer }) =>
      isOf(name, 'lora-step') && metric === 'tokens/s' && peer === 'jax-js wasm',
    wanted: [1, Infinity],
  },
  {
    isMeant: ({ name, peer }) => isOf(name, 'matmul') && peer === 'peak' && sizeOf(name) >= LARGE,
    wanted: [0.35, Infinity],
  },
  {
    isMeant: ({ name, peer }) => isOf(name, 'memory') && peer === 'predicted',
    wanted: [0.9, 1.1],
  },
  { isMeant: ({ name, peer }) => isOf(name, 'memory') && peer === 'limit', wanted: [1, Infinity] },
];

const isOf = (name: string, group: string): boolean => name.startsWith(`${group}/`);

/** Of `matmul/MxKxN` and what may follow. */
const sizeOf = (name: string): number =>
  name
    .split('/')[1]
    .split('x')
    .reduce((product, side) => product * Number(side), 1);

/** @returns how many rows have a target, and those that miss it */
export function checkTargets(records: readonly BenchRecord[]): {
  checked: number;
  short: Shortfall[];
} {
  const asked = records.flatMap((record) =>
    TARGETS.filter(({ isMeant }) => isMeant(record)).map(({ wanted }) => ({ record, wanted })),
  );
  const isShort = ({ record: { ratio }, wanted: [least, most] }: Shortfall) =>
    !(ratio >= least && ratio <= most);
  return { checked: asked.length, short: asked.filter(isShort) };
}

export function describeTargets({ checked, short }: ReturnType<typeof checkTargets>): string {
  const lines = short.map(({ record: { name, metric, peer, ratio }, wanted: [least, most] }) => {
    const range = most === Infinity ? `${least} or more` : `${least} to ${most}`;
    return `Short of its target: ${name}, ${metric} against ${peer}: ${ratio}, where ${range} is wanted.`;
  });
  return [...lines, `Targets: ${checked - short.length} of ${checked} rows reach theirs.`].join(
    '\n',
  );
}
