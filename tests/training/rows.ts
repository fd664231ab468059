/** Rows of a golden's dataset.jsonl. */
import { readFileSync } from 'node:fs';
import type { TokenRow } from '$lib/training';

export function readRows(file: string): TokenRow[] {
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  return lines.map((line) => {
    const { input_ids, labels } = JSON.parse(line) as { input_ids: number[]; labels: number[] };
    return { inputIds: Int32Array.from(input_ids), labels: Int32Array.from(labels) };
  });
}
