/**
 * Plan: without a GPU the data is looked at as a run would have it: lengths, cut answers, duplicates, empty
 * answers, questions on both sides of the split or in data of its own; each finding names its rows; what is
 * left out is counted and gone; nothing is measured twice; a long look reports, lets other calls in and can be
 * stopped; a row that the model cannot take is named. A row is shown with its loss: none on answers of weight 0 or
 * within a prompt. Control: clean data has no finding.
 */
import type { Server } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createEngine } from '$lib/engine';
import type { CountProgress, EngineApi, InspectRequest } from '$lib/rpc/engine-api';
import { MemoryFiles, MemoryTables } from '$lib/storage';
import { alpaca, baseUrlOf, ROWS, serveBundled, silent } from './harness';

const LONG = '很长的答案'.repeat(60);
const DIRTY = [
  { instruction: '感冒怎么办？', input: '', output: '多喝水' },
  { instruction: '感冒怎么办？', input: '', output: '多喝水 ' },
  { instruction: '血压高', input: '', output: LONG },
  { instruction: '空的', input: '', output: '\u200b' },
  { instruction: 'What is a COLD?', input: '', output: 'rest' },
  { instruction: 'what  is a cold？', input: '', output: 'sleep' },
  ...Array.from({ length: 14 }, (_, i) => ({ instruction: `问${i}`, input: '', output: `答${i}` })),
];

describe('looking at data', () => {
  let server: Server;
  let engine: EngineApi;
  let tables: MemoryTables;
  beforeAll(async () => {
    server = await serveBundled();
  });
  afterAll(() => void server.close());
  beforeEach(() => {
    tables = new MemoryTables();
    const baseUrl = baseUrlOf(server);
    engine = createEngine({ files: new MemoryFiles(), tables, gpu: undefined, baseUrl });
  });

  async function bring(rows: object[], name = 'rows.json'): Promise<string> {
    return (await engine.importDataset({ file: alpaca(rows, name) }, silent())).dataset!.id;
  }
  const look = (datasetId: string, changes: Partial<InspectRequest> = {}, call = silent()) =>
    engine.inspectData(
      {
        modelId: 'nano-lm',
        ...{ datasetId, evalShare: 0, maxLength: 128, trainOnPrompt: false, seed: 42 },
        ...changes,
      },
      call,
    );
  const counts = ({ findings }: Awaited<ReturnType<typeof look>>) =>
    Object.fromEntries(Object.entries(findings).map(([name, { count }]) => [name, count]));

  it('shows which tokens of a row are learned from: not those of weight 0, nor those of a prompt', async () => {
    const turn = (role: string, content: string, more: object = {}) => ({ role, content, ...more });
    const shown = async (row: object, trainOnPrompt = false) => {
      const datasetId = await bring([row]);
      const request = { modelId: 'nano-lm', datasetId, index: 0, maxLength: 128, trainOnPrompt };
      const { tokens } = await engine.previewRow(request, silent());
      const text = (wanted: boolean) =>
        tokens.flatMap(({ text, hasLoss }) => (hasLoss === wanted ? [text] : [])).join('');
      return {
        learned: text(true)
          .replaceAll(/<[^>]*>/g, ' ')
          .trim(),
        rest: text(false),
      };
    };
    const messages = [
      turn('user', '早'),
      turn('assistant', '甲', { weight: 0 }),
      turn('user', '晚'),
    ];
    const answer = turn('assistant', '乙');
    const weighted = await shown({ messages: [...messages, answer] });
    expect(weighted.learned).toBe('乙');
    expect(weighted.rest).toContain('甲');
    const prompt = messages.map(({ role, content }) => turn(role, content));
    expect((await shown({ prompt, completion: [answer] })).learned).toBe('乙');
    // Controls: without either both are learned; where prompts are learned, the one of weight 0 is not.
    expect((await shown({ messages: [...prompt, answer] })).learned).toMatch(/^甲.*乙$/s);
    expect((await shown({ messages: [...messages, answer] }, true)).rest).toMatch(/^甲(<[^>]*>)?$/);
  });

  it('finds nothing in clean data', async () => {
    const report = await look(await bring(ROWS), { evalShare: 0.25 });
    expect(counts(report)).toEqual({ duplicates: 0, empty: 0, cut: 0, leaked: 0 });
    expect(report).toMatchObject({ rowCount: 8, trainRows: 6, evalRows: 2, maxLength: 128 });
    const { bars, longest, median } = report.lengths;
    expect(bars.reduce((sum, { rows }) => sum + rows, 0)).toBe(6);
    // The line break behind eos carries no loss.
    expect(report.uncutLength).toBe(longest - 1);
    expect(median).toBeLessThanOrEqual(longest);
  });

  it('names the rows of each finding', async () => {
    const datasetId = await bring(DIRTY);
    const { findings, uncutLength, lengths } = await look(datasetId);
    expect(findings.duplicates).toEqual({ count: 1, rows: [{ index: 1, like: 0 }] });
    expect(findings.empty).toEqual({ count: 1, rows: [{ index: 3 }] });
    expect(findings.cut).toMatchObject({ count: 1, rows: [{ index: 2 }] });
    expect(findings.cut.rows[0].tokens).toBe(lengths.longest);
    expect(uncutLength).toBe(lengths.longest - 1);
    expect((await look(datasetId, { maxLength: uncutLength! })).findings.cut.count).toBe(0);
    expect((await look(datasetId, { maxLength: uncutLength! - 1 })).findings.cut.count).toBe(1);
  });

  it('finds questions on both sides of a split, and in data of its own', async () => {
    const datasetId = await bring(DIRTY);
    const seeds = Array.from({ length: 40 }, (_, seed) => seed);
    const reports = [];
    for (const seed of seeds) reports.push(await look(datasetId, { evalShare: 0.4, seed }));
    const parted = reports.find(({ findings }) => findings.leaked.count === 1)!;
    const [{ index, like }] = parted.findings.leaked.rows;
    expect([index, like].sort()).toEqual([4, 5]);
    expect(reports.some(({ findings }) => findings.leaked.count === 0)).toBe(true);

    const evalDatasetId = await bring(
      [
        { instruction: '新问题', input: '', output: 'x' },
        { instruction: '感冒 怎么办?', input: '', output: '别的' },
      ],
      'held.json',
    );
    const apart = await look(datasetId, { evalDatasetId });
    expect(apart.findings.leaked).toEqual({ count: 1, rows: [{ index: 1, like: 0 }] });
    expect(apart.evalRows).toBe(2);
    const left = await look(datasetId, { evalDatasetId, leaveOut: ['leaked'] });
    expect(left.findings.leaked.count).toBe(1);
    expect(left.evalRows).toBe(1);
  });

  it('counts what is left out as gone from the run and keeps showing it', async () => {
    const datasetId = await bring(DIRTY);
    const all = await look(datasetId);
    const report = await look(datasetId, { leaveOut: ['duplicates', 'empty', 'cut'] });
    expect(all.trainRows).toBe(20);
    expect(report.trainRows).toBe(17);
    expect(counts(report)).toEqual({ duplicates: 1, empty: 1, cut: 1, leaked: 0 });
  });

  it('measures the rows once, whatever is changed besides', async () => {
    const datasetId = await bring(DIRTY);
    const read = vi.spyOn(tables, 'readRows');
    await look(datasetId);
    const before = read.mock.calls.length;
    await look(datasetId, { maxLength: 16 });
    await look(datasetId, { maxLength: 64, leaveOut: ['cut'] });
    expect(read.mock.calls.length).toBe(before);
    await look(datasetId, { trainOnPrompt: true });
    expect(read.mock.calls.length).toBeGreaterThan(before);
  });

  it('reports on the way, lets other calls in, stops, and goes on where it stopped', async () => {
    const many = Array.from({ length: 6000 }, (_, i) => ({
      instruction: `第${i}个问题：${'长'.repeat(80)}`,
      input: '',
      output: `答案${i}`,
    }));
    const datasetId = await bring(many);
    await engine.openModel({ modelId: 'nano-lm' }, silent());
    const stop = new AbortController();
    const seen: CountProgress[] = [];
    let answered = 0;
    const stopped = look(
      datasetId,
      {},
      {
        signal: stop.signal,
        progress: (...updates: unknown[]) => {
          seen.push(updates[0] as CountProgress);
          void engine.listRuns(undefined, silent()).then(() => answered++);
          if (seen.length === 3) stop.abort();
        },
      },
    );
    await expect(stopped).rejects.toMatchObject({ name: 'AbortError' });
    expect(answered).toBeGreaterThan(0);
    expect(seen.at(-1)!.done).toBeLessThan(many.length);
    const again: CountProgress[] = [];
    const progress = (...updates: unknown[]) => void again.push(updates[0] as CountProgress);
    const report = await look(datasetId, {}, { ...silent(), progress });
    expect(again[0].done).toBeGreaterThan(seen.at(-1)!.done);
    expect(report.rowCount).toBe(many.length);
  });

  it('names the row that the model cannot take', async () => {
    const datasetId = await bring([{ input_ids: [1, 2] }, { input_ids: [1, 9_999_999] }]);
    await expect(look(datasetId)).rejects.toMatchObject({
      code: 'bad-token-id',
      message: expect.stringMatching(/^Row 2: /),
      details: { row: 2 },
    });
  });
});
