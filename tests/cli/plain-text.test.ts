/**
 * Plan: the command line takes a file of prose as it takes other data, and splits long texts where its settings say
 * so, which is told in one line; without that they are cut, which is told as well; a run over parts goes on from its
 * checkpoint, one of an older version too, and not with the texts cut.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inkstone } from './inkstone';

const MODEL = fileURLToPath(new URL('../../models/nano-lm', import.meta.url));
const SETTINGS = {
  ...{ r: 2, max_length: 32, max_steps: 4, per_device_train_batch_size: 2, logging_steps: 1 },
  ...{ save_strategy: 'steps', save_steps: 2 },
};

describe('prose on the command line', () => {
  let out: string;
  let prose: string;
  beforeAll(() => {
    out = mkdtempSync(join(tmpdir(), 'inkstone-'));
    prose = join(out, 'prose.txt');
    writeFileSync(prose, `${'砚台是磨墨的器具。'.repeat(20)}\r\n\r\nA short one.\r\n`);
  });
  afterAll(() => rmSync(out, { recursive: true }));

  const train = (name: string, settings: object, ...more: string[]) => {
    const config = join(out, `${name}.json`);
    writeFileSync(config, JSON.stringify({ ...SETTINGS, ...settings }));
    return inkstone(
      ...['train', '--model', MODEL, '--dataset', prose, '--config', config],
      ...['--output', join(out, name), ...more],
    );
  };
  const adapter = (name: string) =>
    readFileSync(join(out, name, 'adapter_model.safetensors')).toString('base64');

  it('is evaluated', async () => {
    const { code, stdout, stderr } = await inkstone(
      'evaluate',
      '--model',
      MODEL,
      '--dataset',
      prose,
    );
    expect([code, stderr]).toEqual([0, '']);
    expect(JSON.parse(stdout)).toMatchObject({ rows: 2 });
  });

  it('is split where the settings say so, and cut where they do not', async () => {
    const split = await train('split', { split_long_text: true });
    expect(split).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(
        /^1 of 2 rows are split into \d+ at max_length 32\n$/,
      ) as string,
    });
    const cut = await train('cut', {});
    expect(cut).toMatchObject({ code: 0, stderr: '1 of 2 rows are cut at max_length 32\n' });
    expect(adapter('cut')).not.toBe(adapter('split'));
  });

  it('goes on from a checkpoint with the settings that it began with', async () => {
    const from = join(out, 'from');
    cpSync(join(out, 'split', 'checkpoint-2'), from, { recursive: true });
    const resumed = await train('resumed', { split_long_text: true }, '--resume', from);
    expect(resumed.code).toBe(0);
    expect(adapter('resumed')).toBe(adapter('split'));
    const other = await train('other', { split_long_text: false }, '--resume', from);
    expect(other.code).toBe(1);
    expect(other.stderr).toMatch(/made with split_long_text true, and this run has false/);
  });

  it('goes on from a checkpoint of a version that knew no such setting', async () => {
    const from = join(out, 'older');
    cpSync(join(out, 'cut', 'checkpoint-2'), from, { recursive: true });
    const path = join(from, 'run_settings.json');
    const settings = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
    expect(settings.split_long_text).toBe(false);
    delete settings.split_long_text;
    writeFileSync(path, JSON.stringify(settings));
    const resumed = await train('newer', {}, '--resume', from);
    expect(resumed.code).toBe(0);
    expect(adapter('newer')).toBe(adapter('cut'));
  });
});
