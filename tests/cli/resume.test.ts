/**
 * Plan: a run that is killed and resumed leaves the bytes of one that was not, and the same checkpoints; so does
 * one that goes on from a folder, to another folder, with PiSSA's start, evaluations and the best checkpoint; what
 * belongs to another run is refused with what differs. The control is the run that was let alone.
 */
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseModelConfig, parseRecipeFile } from '$lib/config';
import { adaptedModel } from '$lib/decoder';
import {
  earlierCheckpoints,
  findCheckpoint,
  openCheckpointFolder,
  requireSameLength,
  RUN_SETTINGS_FILE,
  writeRunSettings,
} from '../../src/cli/resume';
import { readRows } from '../../src/cli/rows';
import { goldenPath, readJson } from '../goldens';
import { inkstone, inkstoneUntil } from './inkstone';

const GOLDEN = goldenPath('training/cosine-warmup-clip-decay');
const MODEL = goldenPath(
  `models/${readJson<{ model: string }>('training/cosine-warmup-clip-decay/case.json').model}`,
);
const SETTINGS = {
  ...readJson<object>('training/cosine-warmup-clip-decay/config.json'),
  ...{ max_steps: 18, save_strategy: 'steps', save_steps: 4, save_total_limit: 2 },
  ...{ lora_dropout: 0.1, shuffle: true, logging_steps: 3, neftune_noise_alpha: 5 },
};

const checkpoints = (folder: string) =>
  readdirSync(folder)
    .filter((name) => name.startsWith('checkpoint-'))
    .sort();
const hash = (folder: string, name = 'adapter_model.safetensors') =>
  createHash('sha256')
    .update(readFileSync(join(folder, name)))
    .digest('hex');

describe('train --resume', () => {
  let out: string;
  let whole: string;
  const write = (name: string, settings: object) => {
    writeFileSync(join(out, name), JSON.stringify(settings));
    return join(out, name);
  };
  const words = (config: string, output: string) => [
    ...['train', '--model', MODEL, '--dataset', `${GOLDEN}/dataset.jsonl`],
    ...['--config', config, '--output', output],
  ];
  beforeAll(async () => {
    out = mkdtempSync(join(tmpdir(), 'inkstone-resume-'));
    whole = join(out, 'whole');
    const { code, stderr } = await inkstone(...words(write('run.json', SETTINGS), whole));
    expect([code, stderr]).toEqual([0, '']);
  }, 120_000);
  afterAll(() => rmSync(out, { recursive: true }));

  it('of a killed run ends in the bytes of one that was let alone', async () => {
    const output = join(out, 'killed');
    const run = words(join(out, 'run.json'), output);
    const killed = await inkstoneUntil((stdout) => stdout.includes('"step":9'), run);
    expect(killed.code).not.toBe(0);
    expect(readdirSync(output)).not.toContain('adapter_model.safetensors');

    const { code, stdout, stderr } = await inkstone(...run, '--resume');
    expect(code).toBe(0);
    expect(stderr).toMatch(/^Goes on from .*checkpoint-(8|12|16): step \1 of 18 is done\.\n$/);
    expect(stdout).not.toContain('"step":3,');
    expect(hash(output)).toBe(hash(whole));
    expect(hash(output, 'trainer_state.json')).toBe(hash(whole, 'trainer_state.json'));
    expect(checkpoints(output)).toEqual(checkpoints(whole));
    expect(hash(join(output, 'checkpoint-18'), 'optimizer.safetensors')).toBe(
      hash(join(whole, 'checkpoint-18'), 'optimizer.safetensors'),
    );

    // Of a run that has ended there is nothing to do but to leave what it made.
    rmSync(join(output, 'adapter_model.safetensors'));
    expect((await inkstone(...run, '--resume')).code).toBe(0);
    expect(hash(output)).toBe(hash(whole));
    expect(checkpoints(output)).toEqual(checkpoints(whole));
  }, 120_000);

  it.each([
    ["PiSSA's start", { init_lora_weights: 'pissa', load_best_model_at_end: false }, undefined],
    ['the best checkpoint, which is one of before', {}, 8],
  ])(
    'goes on from a folder to another, with %s',
    async (_, changes, best) => {
      const settings = {
        ...readJson<object>('arguments/eval-best/config.json'),
        ...{ save_total_limit: null, lora_dropout: 0, ...changes },
      };
      const folder = goldenPath('arguments/eval-best');
      const { model } = readJson<{ model: string }>('arguments/eval-best/case.json');
      const config = write('held.json', settings);
      const run = (output: string) => [
        ...['train', '--model', goldenPath(`models/${model}`), '--config', config],
        ...['--dataset', `${folder}/dataset.jsonl`, '--eval-dataset', `${folder}/eval.jsonl`],
        ...['--output', output],
        ...(best === undefined ? [] : ['--init-adapter', `${folder}/init-adapter`]),
      ];
      const [first, second] = ['first', 'second'].map((name) => join(out, `${name}-${best}`));
      expect(await inkstone(...run(first))).toMatchObject({ code: 0, stderr: '' });
      const from = join(first, 'checkpoint-10');
      expect(await inkstone(...run(second), '--resume', from)).toMatchObject({ code: 0 });
      expect(hash(second)).toBe(hash(first));
      expect(checkpoints(second)).toEqual(['checkpoint-12']);
      const last = hash(join(second, 'checkpoint-12'));
      expect(last).toBe(hash(join(first, 'checkpoint-12')));
      if (best === undefined) expect(hash(second)).toBe(last);
      else expect(hash(second)).toBe(hash(join(first, `checkpoint-${best}`)));
    },
    120_000,
  );

  it('finds no checkpoint: one line, exit code 1', async () => {
    const run = words(join(out, 'run.json'), join(out, 'nothing'));
    const { code, stderr } = await inkstone(...run, '--resume');
    expect([code, stderr.trim().split('\n')]).toEqual([
      1,
      [expect.stringMatching(/^--resume: .*nothing holds no complete checkpoint\. Leave --resume/)],
    ]);
  }, 60_000);

  describe('in the folder of a run', () => {
    const settingsOf = async (changes: object = {}, rowLimit?: number) => {
      const text = JSON.stringify({ ...SETTINGS, ...changes });
      const { peft, args } = parseRecipeFile(text, 'c.json');
      const rows = await readRows(`${GOLDEN}/dataset.jsonl`, MODEL, {
        maxLength: args.max_length,
        trainOnPrompt: args.train_on_prompt,
      });
      return { peft, args, rows: rows.slice(0, rowLimit), evalRows: undefined };
    };
    const open = async (folder: string, changes?: object, rowLimit?: number) =>
      openCheckpointFolder(
        folder,
        await settingsOf(changes, rowLimit),
        adaptedModel(parseModelConfig(readFileSync(`${MODEL}/config.json`, 'utf8'))),
      );
    const last = () => join(whole, 'checkpoint-18');

    it('takes the newest checkpoint that is complete', async () => {
      const settings = await settingsOf();
      expect(await findCheckpoint('', whole, settings)).toBe(last());
      const broken = join(out, 'broken');
      cpSync(whole, broken, { recursive: true });
      rmSync(join(broken, 'checkpoint-18', 'trainer_state.json'));
      expect(await findCheckpoint('', broken, settings)).toBe(join(broken, 'checkpoint-16'));
      await expect(findCheckpoint(join(broken, 'checkpoint-18'), broken, settings)).rejects.toThrow(
        /checkpoint-18 is no complete checkpoint, it has no trainer_state\.json\. Give/,
      );
      await expect(findCheckpoint(join(out, 'none'), broken, settings)).rejects.toThrow(
        /none is no complete/,
      );
    });

    it("takes its own before another run's, though that is newer", async () => {
      const mixed = join(out, 'mixed');
      const foreign = join(mixed, 'checkpoint-99');
      cpSync(last(), foreign, { recursive: true });
      const other = await settingsOf({ seed: 1 });
      writeFileSync(join(foreign, RUN_SETTINGS_FILE), writeRunSettings(other));
      const settings = await settingsOf();
      expect(await findCheckpoint('', mixed, settings)).toBe(foreign);
      cpSync(last(), join(mixed, 'checkpoint-18'), { recursive: true });
      expect(await findCheckpoint('', mixed, settings)).toBe(join(mixed, 'checkpoint-18'));
      expect(await findCheckpoint('', mixed, other)).toBe(foreign);
    });

    it('takes for its own what the same settings left, no younger than where it goes on', async () => {
      const steps = async (upTo: number, changes?: object) => [
        ...(await earlierCheckpoints(whole, upTo, await settingsOf(changes))).keys(),
      ];
      expect(await steps(18)).toEqual([16, 18]);
      expect(await steps(17)).toEqual([16]);
      expect(await steps(18, { seed: 1 })).toEqual([]);
    });

    it('goes on with the settings of before, and with others for what is told and kept', async () => {
      expect((await open(last())).state.global_step).toBe(18);
      const kept = { save_total_limit: 5, save_steps: 6, logging_steps: 1 };
      expect((await open(last(), kept)).state.global_step).toBe(18);
    });

    it.each([
      [{ learning_rate: 0.1 }, /made with learning_rate 0.005, and this run has 0.1/],
      [{ r: 3 }, /made with r 4, and this run has 3/],
      [{ lora_alpha: 9 }, /made with lora_alpha 8, and this run has 9/],
      [{ seed: 1 }, /made with seed 42, and this run has 1/],
      [{ max_steps: 40 }, /made with max_steps 18, and this run has 40/],
      [{ peft_type: 'IA3' }, /made with peft_type "LORA", and this run has "IA3"/],
    ])('refuses one of another run: %j', async (changes, message) => {
      const refused = open(last(), changes);
      await expect(refused).rejects.toThrow(message);
      await expect(refused).rejects.toMatchObject({ code: 'wrong-checkpoint' });
    });

    it('refuses another rhythm of saving where the best of what was saved is the end', async () => {
      const best = { load_best_model_at_end: true, eval_strategy: 'steps', eval_steps: 2 };
      const own = join(out, 'own-best');
      cpSync(last(), own, { recursive: true });
      writeFileSync(join(own, RUN_SETTINGS_FILE), writeRunSettings(await settingsOf(best)));
      expect((await open(own, best)).state.global_step).toBe(18);
      await expect(open(own, { ...best, save_steps: 6 })).rejects.toThrow(
        /made with save_steps 4, and this run has 6/,
      );
    });

    it('refuses other rows', async () =>
      expect(open(last(), {}, 3)).rejects.toThrow(/with other rows than --dataset gives/));

    it('asks of a checkpoint of the page what its own files say', async () => {
      const page = join(out, 'page');
      cpSync(last(), page, { recursive: true });
      rmSync(join(page, RUN_SETTINGS_FILE));
      expect((await open(page)).state.global_step).toBe(18);
      await expect(open(page, { lora_alpha: 9 })).rejects.toThrow(/made with lora_alpha 8/);
      await expect(open(page, { per_device_train_batch_size: 3 })).rejects.toThrow(
        /made with per_device_train_batch_size 2/,
      );
      const checkpoint = await open(page, { max_steps: 40 });
      expect(() => requireSameLength(page, checkpoint, 40)).toThrow(
        /it is at step 18 of 18, and this run has 40/,
      );
      expect(() => requireSameLength(page, checkpoint, 18)).not.toThrow();
    });
  });
});
