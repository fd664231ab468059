/**
 * `train --init-adapter`. Plan: a setting that the config leaves out is the adapter's, so that the first loss of the
 * round is the loss that the adapter ends with; one that contradicts it is refused, named with both values; so the
 * round is the page's, to the bit, where the adapter came of PiSSA. Dropout may be another.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_LORA_CONFIG, type PeftConfig } from '$lib/config';
import { readRoundRecipe } from '../../src/cli/starting-adapter';
import { startEngine, takeAdapter } from '../engine/engines';
import { FailingGpu } from '../engine/failing-gpu';
import { Disk } from '../engine/mortal-storage';
import { importSmallModel, importTokenRows, silent, smallRun } from '../engine/small-model';
import { SMALL_MODEL, tokenRowsFile } from '../engine/small-run';
import { goldenPath } from '../goldens';
import { inkstone } from './inkstone';

const MODEL = goldenPath(SMALL_MODEL);
const WEIGHTS = 'adapter_model.safetensors';

describe('train --init-adapter', () => {
  let out: string;
  let dataset: string;
  beforeAll(async () => {
    out = mkdtempSync(join(tmpdir(), 'inkstone-round-'));
    dataset = join(out, 'rows.json');
    writeFileSync(dataset, await tokenRowsFile().text());
  });
  afterAll(() => rmSync(out, { recursive: true }));

  const train = (name: string, settings: object, adapter?: string) => {
    writeFileSync(join(out, `${name}.json`), JSON.stringify(settings));
    return inkstone(
      ...['train', '--model', MODEL, '--dataset', dataset, '--config', join(out, `${name}.json`)],
      ...['--output', join(out, name), ...(adapter ? ['--init-adapter', adapter] : [])],
    );
  };
  const lossOf = async (...words: string[]) => {
    const { stdout } = await inkstone('evaluate', '--model', MODEL, '--dataset', dataset, ...words);
    return (JSON.parse(stdout) as { loss: number }).loss;
  };

  it("takes the adapter's own settings: its first loss is what the adapter ends with", async () => {
    const method = {
      r: 3,
      lora_alpha: 12,
      use_rslora: true,
      target_modules: ['k_proj', 'up_proj'],
    };
    const first = { ...method, learning_rate: 0.02, max_steps: 10, logging_steps: 1 };
    expect(await train('first', first)).toMatchObject({ code: 0, stderr: '' });
    // All rows in one step.
    const second = { max_steps: 1, per_device_train_batch_size: 10, logging_steps: 1 };
    const round = await train('second', second, join(out, 'first'));
    expect(round).toMatchObject({ code: 0, stderr: '' });
    const { loss } = JSON.parse(round.stdout.trim().split('\n')[1]) as { loss: number };
    const [before, after] = [await lossOf(), await lossOf('--adapter', join(out, 'first'))];
    expect(Math.abs(loss / after - 1)).toBeLessThan(1e-5);
    expect(after).toBeLessThan(0.98 * before);
    const config = JSON.parse(readFileSync(join(out, 'second', 'adapter_config.json'), 'utf8'));
    expect(config).toMatchObject(method);

    const other = await train('other', { ...second, lora_alpha: 6 }, join(out, 'first'));
    expect([other.code, other.stderr]).toEqual([
      1,
      `${join(out, 'other.json')} asks for lora_alpha 6, but the adapter in ${join(out, 'first')} was made with lora_alpha 12. Leave such settings out, and the adapter's are taken, or set them to the adapter's.\n`,
    ]);
  }, 120_000);

  it('goes on from an adapter on some layers, with ranks and alphas of their own', async () => {
    const method = {
      ...{ r: 4, lora_alpha: 8, target_modules: '.*\\.([qk]|down)_proj' },
      ...{ exclude_modules: ['0.self_attn.q_proj'], rank_pattern: { down_proj: 2 } },
      alpha_pattern: { 'layers.1.*': 3 },
    };
    const first = { ...method, learning_rate: 0.02, max_steps: 10, logging_steps: 1 };
    expect(await train('some', first)).toMatchObject({ code: 0, stderr: '' });
    const second = { max_steps: 1, per_device_train_batch_size: 10, logging_steps: 1 };
    const round = await train('some-more', second, join(out, 'some'));
    expect(round).toMatchObject({ code: 0, stderr: '' });
    const { loss } = JSON.parse(round.stdout.trim().split('\n')[1]) as { loss: number };
    const [before, after] = [await lossOf(), await lossOf('--adapter', join(out, 'some'))];
    expect(Math.abs(loss / after - 1)).toBeLessThan(1e-5);
    expect(after).toBeLessThan(0.98 * before);
    // Merged it says the same.
    const merged = join(out, 'some-merged');
    const files = ['--model', MODEL, '--adapter', join(out, 'some'), '--output', merged];
    expect(await inkstone('merge', ...files)).toMatchObject({ code: 0, stderr: '' });
    const { stdout } = await inkstone('evaluate', '--model', merged, '--dataset', dataset);
    expect(Math.abs((JSON.parse(stdout) as { loss: number }).loss / after - 1)).toBeLessThan(1e-4);
    const config = JSON.parse(readFileSync(join(out, 'some-more', 'adapter_config.json'), 'utf8'));
    expect(config).toMatchObject(method);
    const other = await train('some-other', { ...second, rank_pattern: {} }, join(out, 'some'));
    expect(other.stderr).toMatch(
      /asks for rank_pattern null, but the adapter in .* {"down_proj":2}/,
    );
  }, 120_000);

  it("goes on from what PiSSA taught in the bits of the page's second round", async () => {
    const disk = new Disk();
    const modelId = await importSmallModel(startEngine(disk));
    const rows = await importTokenRows(startEngine(disk));
    const pissa = {
      ...DEFAULT_LORA_CONFIG,
      r: 2,
      lora_alpha: 4,
      init_lora_weights: 'pissa' as const,
    };
    const inThePage = async (peft: PeftConfig, initAdapterId?: string) => {
      const gpu = new FailingGpu();
      const request = { ...smallRun(modelId, rows, { num_train_epochs: 1 }), peft, initAdapterId };
      const run = await startEngine(disk, { gpu }).train(request, silent());
      gpu.loseDevice();
      const files = await takeAdapter(disk, run);
      const weights = files.find((file) => file.startsWith(WEIGHTS))!.split(' ')[1];
      return { id: run.adapterId, weights };
    };
    const first = await inThePage(pissa);
    const second = await inThePage(pissa, first.id);
    const { training } = smallRun(modelId, rows, { num_train_epochs: 1 });
    const weightsOf = (name: string) => readFileSync(join(out, name, WEIGHTS)).toString('base64');
    expect(await train('pissa', { ...training, ...pissa })).toMatchObject({ code: 0 });
    expect(weightsOf('pissa')).toBe(first.weights);
    expect(await train('pissa-2', training, join(out, 'pissa'))).toMatchObject({ code: 0 });
    expect(weightsOf('pissa-2')).toBe(second.weights);

    // Of the very shape: the adapter itself would have been taken out of the base.
    const again = { ...training, r: 4, lora_alpha: 8, init_lora_weights: 'pissa' };
    const refused = await train('pissa-3', again, join(out, 'pissa'));
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(
      /asks for init_lora_weights "pissa", but .* made with init_lora_weights true\./,
    );
  }, 120_000);
});

describe('the settings of a round', () => {
  const read = (settings: object, made: PeftConfig = DEFAULT_LORA_CONFIG) =>
    readRoundRecipe({ ...settings }, 'c.json', made, 'first');

  it('may be what the adapter has, in whatever spelling', () => {
    const { peft, warnings } = read({
      ...{ r: 8, lora_alpha: 8.0, use_dora: null, peft_type: 'LORA', learning_rate: 0.1 },
      target_modules: ['v_proj', 'q_proj'],
    });
    expect([peft, warnings]).toEqual([DEFAULT_LORA_CONFIG, []]);
  });

  it('may have another dropout, which changes nothing that the adapter computes', () =>
    expect(read({ lora_dropout: 0.3 }).peft).toEqual({
      ...DEFAULT_LORA_CONFIG,
      lora_dropout: 0.3,
    }));

  it.each([true, false, 'gaussian', 'orthogonal'])(
    'may have a start that is drawn, which counts for nothing: %j',
    (init_lora_weights) => expect(read({ init_lora_weights }).peft).toEqual(DEFAULT_LORA_CONFIG),
  );

  it.each([
    [{ r: 4, lora_alpha: 4 }, /asks for r 4, lora_alpha 4, .* made with r 8, lora_alpha 8\./],
    [{ use_rslora: true }, /asks for use_rslora true, .* with use_rslora false\./],
    [{ use_dora: true }, /asks for use_dora true/],
    [{ bias: 'all' }, /asks for bias "all"/],
    [
      { target_modules: 'all-linear' },
      /asks for target_modules \["q_proj",.*\["q_proj","v_proj"\]/,
    ],
    [{ init_lora_weights: 'olora' }, /asks for init_lora_weights "olora"/],
    [{ peft_type: 'FULL' }, /asks for peft_type "FULL", .* with peft_type "LORA"/],
    [{ rank_pattern: { q_proj: 4 } }, /asks for rank_pattern {"q_proj":4}, .* rank_pattern null/],
    [{ exclude_modules: ['lm_head'] }, /asks for exclude_modules \["lm_head"\]/],
  ])('are refused where they contradict it: %j', (settings, message) =>
    expect(() => read(settings)).toThrow(message),
  );

  it('are of its own layers and ranks, and PEFT may say that there are no others', () => {
    const made: PeftConfig = { ...DEFAULT_LORA_CONFIG, rank_pattern: { q_proj: 4 } };
    expect(read({ rank_pattern: { q_proj: 4 }, exclude_modules: null }, made).peft).toEqual(made);
    expect(read({}, made).peft).toEqual(made);
    expect(() => read({ rank_pattern: {} }, made)).toThrow(/asks for rank_pattern null, but/);
    expect(read({ rank_pattern: {}, alpha_pattern: {} }).peft).toEqual(DEFAULT_LORA_CONFIG);
  });

  it('are of its own method, whichever that is', () => {
    const ia3: PeftConfig = {
      peft_type: 'IA3',
      target_modules: ['k_proj', 'up_proj'],
      feedforward_modules: ['up_proj'],
    };
    expect(read({ learning_rate: 0.1 }, ia3).peft).toEqual(ia3);
    expect(read({ target_modules: ['up_proj', 'k_proj'] }, ia3).peft).toEqual(ia3);
    expect(read({ r: 4 }, ia3).warnings).toEqual([
      'c.json: r is not used: peft_type IA3 has no such option.',
    ]);
    expect(() => read({ feedforward_modules: [] }, ia3)).toThrow(
      /asks for feedforward_modules \[\]/,
    );
  });
});
