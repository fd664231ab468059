/**
 * A folder that cannot be written to. Plan: in mid-run it is told and training goes on, the older checkpoint stays, and
 * the end has the bytes of a run that had room; the last save tries again, and when patience ends says what is whole and
 * how to go on; nothing half-written has a final name; a stdout without room ends nothing; what can be known before a
 * run is told before it. The control is the run that had room.
 */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { CliError } from '../../src/cli/errors';
import { CheckpointSaver, type Patience } from '../../src/cli/checkpoint-saver';
import { writeFileAtomically, writeFolderAtomically } from '../../src/cli/disk';
import type { RunFolder } from '../../src/cli/run-folder';
import type { Checkpoint } from '$lib/training';
import { goldenPath, readJson } from '../goldens';
import { inkstone, inkstoneIn } from './inkstone';

const GOLDEN = 'training/cosine-warmup-clip-decay';
const { model } = readJson<{ model: string }>(`${GOLDEN}/case.json`);
const SETTINGS = {
  ...readJson<object>(`${GOLDEN}/config.json`),
  ...{ max_steps: 12, save_strategy: 'steps', save_steps: 3, save_total_limit: 2 },
};

describe('train where the disk is full', () => {
  let out: string;
  const run = (output: string) => [
    ...['train', '--model', goldenPath(`models/${model}`), '--output', output],
    ...['--dataset', goldenPath(`${GOLDEN}/dataset.jsonl`), '--config', join(out, 'run.json')],
  ];
  /** @param refusals what the disk refuses, as full-disk.mjs has it */
  const onDisk = (disk: string, words: readonly string[], refusals?: object) =>
    inkstoneIn(
      {
        preload: ['./full-disk.mjs', './fast-clock.mjs'],
        env: {
          INKSTONE_TEST_CLOCK: '50',
          INKSTONE_TEST_DISK: disk,
          ...(refusals && { INKSTONE_TEST_REFUSALS: JSON.stringify(refusals) }),
        },
      },
      words,
    );
  const trainOn = async (name: string, refusals?: object, ...more: string[]) => {
    const output = join(out, name);
    return { output, ...(await onDisk(output, [...run(output), ...more], refusals)) };
  };
  const digest = (folder: string) =>
    ['adapter_model.safetensors', 'trainer_state.json'].map((name) =>
      createHash('sha256')
        .update(readFileSync(join(folder, name)))
        .digest('hex'),
    );
  const folders = (output: string) =>
    readdirSync(output)
      .filter((name) => !name.includes('.json') && !name.includes('.safetensors'))
      .sort();

  let whole: string;
  beforeAll(async () => {
    out = mkdtempSync(join(tmpdir(), 'inkstone-full-'));
    writeFileSync(join(out, 'run.json'), JSON.stringify(SETTINGS));
    // The control, with the same modules loaded, on a disk that has room.
    const { output, code, stderr } = await trainOn('whole');
    expect([code, stderr]).toEqual([0, '']);
    whole = output;
    expect(folders(whole)).toEqual(['checkpoint-12', 'checkpoint-9']);
  }, 60_000);
  afterAll(() => rmSync(out, { recursive: true }));

  it.each(['ENOSPC', 'EDQUOT', 'EIO', 'EROFS'])(
    'in mid-run (%s): told, the older stays whole, and the run goes on to the same end',
    async (code) => {
      // One checkpoint has five files: the second is refused in the midst of it, the third at its first file.
      const end = await trainOn(code, { code, only: 'checkpoint', after: 7, times: 2 });
      expect(end.code).toBe(0);
      const older = join(end.output, 'checkpoint-3');
      const told = end.stderr.trim().split('\n');
      expect(told).toHaveLength(2);
      told.forEach((line, i) => {
        expect(line).toContain(
          `Step ${6 + 3 * i} was not saved: ${end.output} cannot be written: `,
        );
        expect(line).toContain(` (${code}). `);
        expect(line).toContain(
          ` Training goes on, and saves again when it is due. ${older} is whole: the same command with --resume ${older} goes on from it.`,
        );
      });
      expect(digest(end.output)).toEqual(digest(whole));
      expect(folders(end.output)).toEqual(['checkpoint-12', 'checkpoint-3']);
    },
    60_000,
  );

  it('at the end: waits, and saves when there is room', async () => {
    const refusals = { code: 'ENOSPC', only: 'checkpoint', times: 6 };
    const { output, code, stderr } = await trainOn('waits', refusals);
    expect(code).toBe(0);
    const told = stderr.trim().split('\n');
    expect(told).toHaveLength(4);
    expect(told[0]).toMatch(/It has no whole checkpoint yet\.$/);
    expect(told[3]).toBe(
      `Step 12, the last, was not saved: ${output} cannot be written: the disk is full (ENOSPC). Free some space there. Tries again.`,
    );
    expect(digest(output)).toEqual(digest(whole));
    expect(folders(output)).toEqual(['checkpoint-12']);
  }, 60_000);

  it('at the end and for good: says what is whole, from which --resume goes on to the same end', async () => {
    const { output, code, stderr } = await trainOn('for-good', { code: 'ENOSPC', after: 7 });
    expect(code).toBe(1);
    const older = join(output, 'checkpoint-3');
    expect(stderr.trim().split('\n').at(-1)).toBe(
      `Step 12, the last, was not saved: ${output} cannot be written: the disk is full (ENOSPC). Free some space there. ${older} is whole: the same command with --resume ${older} goes on from it.`,
    );
    expect(readdirSync(output)).toEqual(['checkpoint-3']);
    expect(await trainOn('for-good', undefined, '--resume', older)).toMatchObject({ code: 0 });
    expect(digest(output)).toEqual(digest(whole));
    expect(folders(output)).toEqual(folders(whole));
  }, 120_000);

  it('of the adapter alone: the end of the run is whole, and --resume has only that to write', async () => {
    const refusals = { code: 'ENOSPC', only: 'run-result/adapter' };
    const { output, code, stderr } = await trainOn('run-result', refusals);
    expect(code).toBe(1);
    expect(stderr).toMatch(/\nThe adapter was not saved: .*checkpoint-12 is whole: .*\n$/s);
    expect(folders(output)).toEqual(folders(whole));
    expect(await trainOn('run-result', undefined, '--resume')).toMatchObject({ code: 0 });
    expect(digest(output)).toEqual(digest(whole));
  }, 120_000);

  it('of the best checkpoint: the run ends with its last step, and says so', async () => {
    const best = goldenPath('arguments/eval-best');
    const { model } = readJson<{ model: string }>('arguments/eval-best/case.json');
    const train = async (name: string, refusals?: object) => {
      const output = join(out, name);
      const words = [
        ...['train', '--model', goldenPath(`models/${model}`), '--output', output],
        ...['--config', `${best}/config.json`, '--init-adapter', `${best}/init-adapter`],
        ...['--dataset', `${best}/dataset.jsonl`, '--eval-dataset', `${best}/eval.jsonl`],
      ];
      return { output, ...(await onDisk(output, words, refusals)) };
    };
    // Steps 2, 4 and 6 have room; 8 is the best.
    const end = await train('no-best', { code: 'ENOSPC', only: 'checkpoint', after: 15, times: 1 });
    expect(end.code).toBe(0);
    expect(end.stderr.split('\n')[1]).toBe(
      "The best checkpoint, of step 8, is not there: the adapter is the last step's.",
    );
    expect(folders(end.output)).toEqual(['checkpoint-10', 'checkpoint-12']);
    expect(digest(end.output)[0]).toBe(digest(join(end.output, 'checkpoint-12'))[0]);
    const control = await train('best');
    expect(control).toMatchObject({ code: 0, stderr: '' });
    expect(folders(control.output)).toEqual(['checkpoint-12', 'checkpoint-8']);
  }, 60_000);

  it('of stdout: the run goes on, and tells so once', async (context) => {
    if (!existsSync('/dev/full')) context.skip('this system has no /dev/full');
    const output = join(out, 'stdout');
    const end = await inkstoneIn({ stdout: openSync('/dev/full', 'w') }, run(output));
    expect(end).toMatchObject({
      code: 0,
      stderr: 'What is printed here no longer arrives on stdout (ENOSPC).\n',
    });
    expect(digest(output)).toEqual(digest(whole));
    // But where what is printed is all there is, it failed.
    const words = ['evaluate', '--model', goldenPath(`models/${model}`), '--dataset'];
    const rows = goldenPath(`${GOLDEN}/dataset.jsonl`);
    const lost = await inkstoneIn({ stdout: openSync('/dev/full', 'w') }, [...words, rows]);
    expect(lost.code).toBe(1);
  }, 60_000);

  it('knows before a run that its folder can never be written', async () => {
    const file = join(out, 'a-file');
    writeFileSync(file, '');
    for (const [output, found] of [
      [file, 'it is a file (EEXIST)'],
      [join(file, 'below'), 'a part of that path is a file (ENOTDIR)'],
    ])
      expect(await inkstone(...run(output))).toEqual({
        code: 1,
        stdout: '',
        stderr: `${output} cannot be written: ${found}. Choose another folder.\n`,
      });
  });

  it('of merge: one sentence, exit code 1, no half of a file', async () => {
    const output = join(out, 'merge');
    const golden = goldenPath('models/qwen2');
    const words = ['merge', '--model', golden, '--adapter', `${golden}/adapter`];
    const refusals = { code: 'ENOSPC', after: 1 };
    const end = await onDisk(output, [...words, '--output', output], refusals);
    expect(end).toMatchObject({
      code: 1,
      stderr: `${output} cannot be written: the disk is full (ENOSPC). Free some space there.\n`,
    });
    expect(readdirSync(output)).toEqual(['config.json']);
  });

  describe('patience with the last save', () => {
    beforeEach(() => {
      vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    });
    afterEach(() => vi.restoreAllMocks());

    /** Refuses as often as `refusals` says. */
    const saverOf = (refusals: number, patience: Partial<Patience>) => {
      const waited: number[] = [];
      const stop = new AbortController();
      const folder = {
        newest: 'run/checkpoint-8',
        writeResult: async () => {
          if (refusals-- > 0) throw new CliError('write', 'run cannot be written.');
        },
      } as unknown as RunFolder;
      const saver = new CheckpointSaver({
        folder,
        trainer: { step: 9, checkpoint: async () => ({}) as Checkpoint },
        signal: stop.signal,
        patience: {
          pausesMs: [1, 2, 3],
          isWatched: false,
          wait: async (ms) => {
            waited.push(ms);
            if (waited.length === 2 && patience.isWatched) stop.abort();
          },
          ...patience,
        },
      });
      return { waited, save: () => saver.saveResult({} as Checkpoint) };
    };

    it('lasts a few tries where nobody watches', async () => {
      const enough = saverOf(3, {});
      await enough.save();
      expect(enough.waited).toEqual([1, 2, 3]);
      await expect(saverOf(4, {}).save()).rejects.toThrow(
        'The adapter was not saved: run cannot be written. run/checkpoint-8 is whole: the same command with --resume run/checkpoint-8 goes on from it.',
      );
    });

    it('lasts at a terminal until the person gives up', async () => {
      const pausesMs = Array<number>(100).fill(5);
      const watched = saverOf(50, { isWatched: true, pausesMs });
      await expect(watched.save()).rejects.toMatchObject({ code: 'write' });
      expect(watched.waited).toHaveLength(2);
    });
  });

  describe('a folder of files is written whole', () => {
    const files = (text: string) => new Map(['a', 'b', 'last'].map((name) => [name, text]));
    const write = (folder: string, text: string) =>
      writeFolderAtomically(folder, join(out, 'part'), files(text), 'last');

    it('or not at all, and over another it leaves what is not its own', async () => {
      const folder = join(out, 'folder');
      await write(folder, 'old');
      writeFileSync(join(folder, 'foreign'), 'x');
      mkdirSync(join(out, 'part'));
      writeFileSync(join(out, 'part', 'left over'), 'x');
      await write(folder, 'new');
      const contents = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
      expect(contents.sort()).toEqual(['new', 'new', 'new', 'x']);
      expect(existsSync(join(out, 'part'))).toBe(false);

      const circular = new Map([...files('newer'), ['b', 7 as unknown as string]]);
      await expect(
        writeFolderAtomically(folder, join(out, 'part'), circular, 'last'),
      ).rejects.toThrow(TypeError);
      expect(readFileSync(join(folder, 'a'), 'utf8')).toBe('new');
      expect(existsSync(join(out, 'part'))).toBe(false);
    });

    it('as a file is, though what makes it fails half-way', async () => {
      async function* content() {
        yield new Uint8Array(3);
        throw new RangeError('no more');
      }
      const path = join(out, 'one-file', 'x');
      await expect(writeFileAtomically(path, content())).rejects.toThrow('no more');
      expect(readdirSync(join(out, 'one-file'))).toEqual([]);
    });
  });
});
