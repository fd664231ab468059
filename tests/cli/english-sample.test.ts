/**
 * The bundled model learns the bundled English sample with the recipe that comes with it: held-back questions, by their mean
 * loss, on Dawn. In a browser `tests/e2e/main-job.spec.ts` does the same in Chinese, by the answers.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { inkstone } from './inkstone';

const MODEL = ['--model', 'models/nano-lm'];
const HELD_BACK = ['--dataset', 'models/samples/medical.en.eval.json'];

const lossOf = async (...words: string[]): Promise<number> => {
  const { stdout, stderr } = await inkstone('evaluate', ...MODEL, ...HELD_BACK, ...words);
  expect(stderr).toBe('');
  return (JSON.parse(stdout) as { loss: number }).loss;
};

it('the English sample is learned: from a guess at random to nearly sure', async () => {
  const adapter = mkdtempSync(join(tmpdir(), 'inkstone-'));
  try {
    const { code, stderr } = await inkstone(
      ...['train', ...MODEL, '--dataset', 'models/samples/medical.en.json'],
      ...['--config', 'models/samples/nano-lm.config.json', '--output', adapter],
    );
    expect([code, stderr]).toEqual([0, '']);
    // ln 5120, the size of the vocabulary, is 8.5; e^-0.5 is 0.6 of what could be known of a token.
    expect(await lossOf()).toBeGreaterThan(5);
    expect(await lossOf('--adapter', adapter)).toBeLessThan(0.5);
  } finally {
    rmSync(adapter, { recursive: true });
  }
}, 400_000);
