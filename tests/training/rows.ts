/** Rows to train on: those of a golden's dataset.jsonl, and ten of made-up tokens. */
import { readFileSync } from 'node:fs';
import type { TokenRow } from '$lib/training';

export function readRows(file: string): TokenRow[] {
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  return lines.map((line) => {
    const { input_ids, labels } = JSON.parse(line) as { input_ids: number[]; labels: number[] };
    return { inputIds: Int32Array.from(input_ids), labels: Int32Array.from(labels) };
  });
}

/** Six to fourteen tokens below 97, all of them targets. */
export const RAGGED_ROWS: readonly TokenRow[] = Array.from({ length: 10 }, (_, i) => {
  const ids = Int32Array.from({ length: 6 + ((i * 5) % 9) }, (_, t) => (i * 31 + t * 17) % 97);
  return { inputIds: ids, labels: ids };
});
