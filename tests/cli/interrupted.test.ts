/**
 * A run that ends before its end. Plan: it has a resume point of the last minutes, which counts for no limit, lasts until
 * the next checkpoint, and leads to the bytes of a run that was let alone; so does Ctrl+C or SIGTERM, which finishes
 * the step, saves it, says how to go on and exits as shells expect; one press that comes twice is one, a second ends at
 * once. The control is the run that was let alone, with the same clock and without.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { parseRecipeFile } from '$lib/config';
import type { Checkpoint } from '$lib/training';
import { CheckpointSaver } from '../../src/cli/checkpoint-saver';
import { RunFolder } from '../../src/cli/run-folder';
import { goldenPath, readJson } from '../goldens';
import { inkstone, inkstoneIn, type Surroundings } from './inkstone';

const GOLDEN = 'training/cosine-warmup-clip-decay';
const { model } = readJson<{ model: string }>(`${GOLDEN}/case.json`);
/** Saved at the end alone. */
const SETTINGS = {
  ...readJson<object>(`${GOLDEN}/config.json`),
  ...{ max_steps: 40, lora_dropout: 0.1, shuffle: true, logging_steps: 3, neftune_noise_alpha: 5 },
};

const checkpoints = (output: string) =>
  readdirSync(output)
    .filter((name) => name.startsWith('checkpoint-'))
    .sort();

describe('train', () => {
  let out: string;
  let whole: string;
  const run = (output: string, settings: object = {}) => {
    const config = `${output}.json`;
    writeFileSync(config, JSON.stringify({ ...SETTINGS, ...settings }));
    return [
      ...['train', '--model', goldenPath(`models/${model}`), '--config', config],
      ...['--dataset', goldenPath(`${GOLDEN}/dataset.jsonl`), '--output', output],
    ];
  };
  /** Five minutes pass in a tenth of a second. */
  const fast = (onOutput?: Surroundings['onOutput']): Surroundings => ({
    onOutput,
    preload: ['./fast-clock.mjs'],
    env: { INKSTONE_TEST_CLOCK: '3000' },
  });
  const digest = (folder: string) =>
    ['adapter_model.safetensors', 'trainer_state.json'].map((name) =>
      createHash('sha256')
        .update(readFileSync(join(folder, name)))
        .digest('hex'),
    );

  beforeAll(async () => {
    out = mkdtempSync(join(tmpdir(), 'inkstone-interrupted-'));
    whole = join(out, 'whole');
    expect(await inkstone(...run(whole))).toMatchObject({ code: 0, stderr: '' });
    expect(checkpoints(whole)).toEqual(['checkpoint-40']);
  }, 60_000);
  afterAll(() => rmSync(out, { recursive: true }));

  it('keeps a resume point by itself, from which a killed run goes on to the same bytes', async () => {
    const output = join(out, 'killed');
    const killed = await inkstoneIn(
      fast((_, kill) => {
        if (existsSync(output) && checkpoints(output).length > 0) kill('SIGKILL');
      }),
      run(output),
    );
    expect(killed.code).not.toBe(0);
    expect(existsSync(join(output, 'adapter_model.safetensors'))).toBe(false);
    const [point] = checkpoints(output);
    const settings = JSON.parse(readFileSync(join(output, point, 'run_settings.json'), 'utf8'));
    expect(settings).toMatchObject({ resume_point: true });

    const resumed = await inkstone(...run(output), '--resume');
    expect(resumed.code).toBe(0);
    expect(resumed.stderr).toMatch(/checkpoint-(\d+): step \1 of 40 is done\.\n$/);
    expect(digest(output)).toEqual(digest(whole));
    expect(checkpoints(output)).toEqual(checkpoints(whole));
  }, 60_000);

  it('changes no bit by its resume points, and keeps none, whatever it is to keep', async () => {
    const limits = { save_strategy: 'steps', save_steps: 10, save_total_limit: 2 };
    const output = join(out, 'limited');
    const seen = new Set<string>();
    const look = () => {
      if (existsSync(output)) for (const name of checkpoints(output)) seen.add(name);
    };
    expect(await inkstoneIn(fast(look), run(output, limits))).toMatchObject({
      code: 0,
      stderr: '',
    });
    // Control: there were some.
    expect([...seen].filter((name) => !name.endsWith('0'))).not.toEqual([]);
    expect(checkpoints(output)).toEqual(['checkpoint-30', 'checkpoint-40']);
    expect(digest(output)[0]).toBe(digest(whole)[0]);
  }, 60_000);

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)(
    'at %s finishes the step, saves it, says how to go on, and exits with %i',
    async (signal, code) => {
      const output = join(out, signal);
      let isSent = false;
      const ended = await inkstoneIn(
        {
          onOutput: ({ stdout }, kill) => {
            if (isSent || !stdout.includes('"step":6,')) return;
            isSent = true;
            kill(signal);
            // As a terminal and npm do.
            kill(signal);
          },
        },
        run(output),
      );
      expect(ended.code).toBe(code);
      const [point, ...others] = checkpoints(output);
      expect(others).toEqual([]);
      const step = Number(point.slice('checkpoint-'.length));
      expect(ended.stderr).toBe(
        `Ends after this step and saves where it is; once more ends at once.\nEnded after step ${step}: the same command with --resume ${join(output, point)} goes on.\n`,
      );
      expect(step).toBeLessThan(40);
      const words = [...run(output), '--resume', join(output, point)];
      expect(await inkstone(...words)).toMatchObject({ code: 0 });
      expect(digest(output)).toEqual(digest(whole));
      expect(checkpoints(output)).toEqual(checkpoints(whole));
    },
    60_000,
  );

  it('at a second signal ends at once, whatever it waits for', async () => {
    const output = join(out, 'twice');
    let isSent = false;
    let sentTwiceAtMs = 0;
    const ended = await inkstoneIn(
      {
        preload: ['./full-disk.mjs'],
        env: { INKSTONE_TEST_DISK: output, INKSTONE_TEST_REFUSALS: '{"code": "ENOSPC"}' },
        onOutput: ({ stdout, stderr }, kill) => {
          if (!stdout.includes('"step":3,')) return;
          if (!isSent) kill('SIGINT');
          isSent = true;
          if (!stderr.includes('Tries again.') || sentTwiceAtMs > 0) return;
          sentTwiceAtMs = Infinity;
          void sleep(700).then(() => {
            sentTwiceAtMs = performance.now();
            kill('SIGINT');
          });
        },
      },
      run(output),
    );
    expect(ended.code).toBe(130);
    // It would have tried for half a minute.
    expect(performance.now() - sentTwiceAtMs).toBeLessThan(10_000);
    expect(ended.stderr).toMatch(/The program was ended by SIGINT\.\n$/);
    expect(checkpoints(output)).toEqual([]);
  }, 60_000);
});

describe('resume points', () => {
  let out: string;
  beforeAll(() => {
    out = mkdtempSync(join(tmpdir(), 'inkstone-points-'));
  });
  afterAll(() => rmSync(out, { recursive: true }));
  afterEach(() => vi.restoreAllMocks());

  const settings = { ...parseRecipeFile('{"save_total_limit": 2}', 'c.json'), rows: [] };
  const open = (from?: number) =>
    RunFolder.open({
      path: out,
      settings: { peft: settings.peft, args: settings.args, rows: [], evalRows: undefined },
      from: from === undefined ? undefined : { path: join(out, `checkpoint-${from}`), step: from },
      toFiles: () =>
        new Map(
          ['adapter_config.json', 'adapter_model.safetensors']
            .concat(['optimizer.safetensors', 'trainer_state.json'])
            .map((name) => [name, new Uint8Array(4)]),
        ),
    });
  const at = (step: number) =>
    ({ state: { global_step: step, best_model_checkpoint: null } }) as unknown as Checkpoint;

  it('last until the next, count for no limit, and are known again by a run that goes on', async () => {
    let folder = await open();
    const write = async (step: number, kind: 'asked' | 'resume-point') => {
      await folder.write(at(step), kind);
      await folder.thinAfter(step, undefined);
      return checkpoints(out).map((name) => Number(name.slice('checkpoint-'.length)));
    };
    expect(await write(3, 'asked')).toEqual([3]);
    expect(await write(4, 'resume-point')).toEqual([3, 4]);
    expect(await write(5, 'resume-point')).toEqual([3, 5]);
    expect(await write(6, 'asked')).toEqual([3, 6]);
    expect(await write(7, 'resume-point')).toEqual([3, 6, 7]);
    folder = await open(7);
    expect(folder.newest).toBe(join(out, 'checkpoint-7'));
    expect(await write(8, 'resume-point')).toEqual([3, 6, 8]);
    // Asked for where a resume point is: it stays.
    expect(await write(8, 'asked')).toEqual([6, 8]);
    expect(await write(9, 'asked')).toEqual([8, 9]);
  });

  it('come after five minutes of work since the last, and not where nothing was done', async () => {
    let nowMs = 0;
    let step = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
    const saved: number[] = [];
    const folder = {
      write: async () => {
        saved.push(step);
        nowMs += 30_000;
      },
      thinAfter: async () => undefined,
    } as unknown as RunFolder;
    const saver = new CheckpointSaver({
      folder,
      trainer: {
        get step() {
          return step;
        },
        checkpoint: async () => at(step),
      },
      signal: new AbortController().signal,
      patience: { pausesMs: [], isWatched: false, wait: async () => undefined },
    });
    const work = async (minutes: number, steps = 1) => {
      nowMs += 60_000 * minutes;
      step += steps;
      await saver.saveResumePointWhenDue();
      return saved;
    };
    expect(await work(4)).toEqual([]);
    expect(await work(1)).toEqual([2]);
    // Saving took half a minute: not more than a twentieth of the time.
    expect(await work(9)).toEqual([2]);
    expect(await work(1)).toEqual([2, 4]);
    expect(await work(60, 0)).toEqual([2, 4]);
    await saver.save(
      Object.assign(at(5), {
        state: { ...at(5).state, stateful_callbacks: { TrainerControl: { args: {} } } },
      }),
    );
    expect(await work(9)).toEqual([2, 4, 4]);
  });
});
