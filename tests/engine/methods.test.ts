/**
 * The engine with every method. Plan:
 * - each trains, is killed and goes on to the same bytes, and is taken away in PEFT's files
 * - each merges into a model of its own, but a prefix, which says why it cannot
 * - a 4-bit base takes a fraction of the memory, and goes with adapters alone
 */
import { createHash } from 'node:crypto';
import type { Server } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DEFAULT_IA3_CONFIG, DEFAULT_LORA_CONFIG, FULL_TUNING, type PeftConfig } from '$lib/config';
import { createEngine } from '$lib/engine';
import type { EngineApi, RunSummary, TrainEvent, TrainRequest } from '$lib/rpc/engine-api';
import { MemoryFiles, MemoryTables } from '$lib/storage';
import { testEntry } from '../dawn';
import { alpaca, baseUrlOf, requestOf, ROWS, serveBundled, silent, takePeft } from './harness';

const gpu = testEntry();
const CARD = 'README.md';

const lora = { ...DEFAULT_LORA_CONFIG, r: 2, lora_alpha: 4 };
const METHODS: Record<string, PeftConfig> = {
  DoRA: { ...lora, use_dora: true, lora_dropout: 0.1 },
  PiSSA: { ...lora, init_lora_weights: 'pissa_niter_4' },
  OLoRA: { ...lora, init_lora_weights: 'olora' },
  'LoRA from an orthogonal start': { ...lora, init_lora_weights: 'orthogonal' },
  'LoRA on some layers, with ranks of their own': {
    ...{
      ...lora,
      target_modules: '.*\\.(q|down)_proj',
      exclude_modules: ['layers.0.mlp.down_proj'],
    },
    ...{ rank_pattern: { q_proj: 3 }, alpha_pattern: { '.*layers.1.*': 6 } },
  },
  IA3: DEFAULT_IA3_CONFIG,
  'prefix tuning': { peft_type: 'PREFIX_TUNING', num_virtual_tokens: 4 },
  'full fine-tuning': FULL_TUNING,
};

describe('the engine', () => {
  let server: Server;
  let files: MemoryFiles;
  let tables: MemoryTables;
  let engine: EngineApi;
  let datasetId: string;
  const start = () => createEngine({ files, tables, gpu, baseUrl: baseUrlOf(server) });

  beforeAll(async () => {
    server = await serveBundled();
  });
  afterAll(() => void server.close());
  beforeEach(async () => {
    files = new MemoryFiles();
    tables = new MemoryTables();
    engine = start();
    const { dataset } = await engine.importDataset({ file: alpaca(ROWS) }, silent());
    datasetId = dataset!.id;
  });

  /** A digest: comparing 17 MB element by element takes minutes. */
  const weightsOf = async (adapterId: string) =>
    createHash('sha256')
      .update((await takePeft(engine, adapterId)).get('adapter_model.safetensors')!)
      .digest('hex');

  /** The run with the tab gone after its third step, and gone on with by a new engine. */
  async function killedAndResumed(request: TrainRequest) {
    let runId = '';
    const died = start().train(request, {
      ...silent(),
      progress: (event) => {
        if (event.kind === 'prepared') runId = event.runId;
        if (event.kind === 'step' && event.step === 3) throw new Error('the tab is gone');
      },
    });
    await expect(died).rejects.toThrow('the tab is gone');
    return start().train({ ...request, resumeRunId: runId }, silent());
  }

  it.each(Object.entries(METHODS))(
    'trains with %s, goes on to the same bytes, and takes it away',
    async (name, peft) => {
      const request = requestOf(datasetId, { peft });
      const whole = await engine.train(request, silent());
      expect(whole).toMatchObject({ status: 'finished', step: 4, peft });
      expect(whole.log.every((entry) => 'loss' in entry && Number.isFinite(entry.loss))).toBe(true);
      const expected = await weightsOf(whole.adapterId!);
      const resumed = await killedAndResumed(request);
      expect(await weightsOf(resumed.adapterId!)).toEqual(expected);

      const taken = await takePeft(engine, whole.adapterId!);
      const read = (file: string) => new TextDecoder().decode(taken.get(file));
      const { peft_type, r, init_lora_weights } = JSON.parse(read('adapter_config.json'));
      expect(peft_type).toBe(peft.peft_type);
      const isConverted = name === 'PiSSA' || name === 'OLoRA';
      if (isConverted) expect(r).toBe(4);
      expect(read('README.md').includes('a plain LoRA of twice the rank')).toBe(isConverted);
      // As PEFT says it of an adapter whose base is as it was.
      if (name.includes('orthogonal')) expect(init_lora_weights).toBe('orthogonal');

      const merging = engine.merge(
        { modelId: 'nano-lm', adapterId: whole.adapterId!, name: 'merged' },
        silent(),
      );
      if (peft.peft_type === 'PREFIX_TUNING')
        await expect(merging).rejects.toMatchObject({ code: 'cannot-merge' });
      else expect(await merging).toMatchObject({ origin: 'merged', present: true });
    },
  );

  it('trains on a 4-bit base in a fraction of the memory, to the same bytes when it goes on', async () => {
    const request = requestOf(datasetId, { peft: lora });
    const fourBit = { ...request, training: { ...request.training, load_in_4bit: true } };
    const opened = await engine.openModel({ modelId: 'nano-lm' }, silent());
    const events: TrainEvent[] = [];
    const progress = (event: TrainEvent) => void events.push(event);
    const whole = await engine.train(fourBit, { ...silent(), progress });
    expect(whole.status).toBe('finished');
    expect(whole.training.load_in_4bit).toBe(true);
    const expected = await weightsOf(whole.adapterId!);
    expect(await weightsOf((await killedAndResumed(fourBit)).adapterId!)).toEqual(expected);

    const plain = await engine.train(request, silent());
    expect(await weightsOf(plain.adapterId!)).not.toEqual(expected);

    // The adapter knows it, and still does when its run is gone; PEFT's files do not.
    const fourBitOf = async ({ adapterId }: RunSummary) =>
      (await engine.listAdapters(undefined, silent())).find(({ id }) => id === adapterId)!
        .load_in_4bit;
    expect([await fourBitOf(whole), await fourBitOf(plain)]).toEqual([true, false]);
    await engine.deleteRun({ runId: whole.id, keepAdapter: true }, silent());
    expect(await fourBitOf(whole)).toBe(true);
    const card = new TextDecoder().decode((await takePeft(engine, plain.adapterId!)).get(CARD));
    expect(card).toContain('# A LoRA adapter');
    const taken = await takePeft(engine, whole.adapterId!);
    expect(new TextDecoder().decode(taken.get(CARD))).toContain('# A QLoRA adapter');
    const files = [...taken].map(([name, bytes]) => new File([bytes as BlobPart], name));
    const input = { files, modelId: 'nano-lm', name: 'brought back' };
    const imported = await engine.importAdapter(input, silent());
    expect(imported.load_in_4bit).toBeUndefined();

    const again = await engine.openModel({ modelId: 'nano-lm' }, silent());
    expect(again).toMatchObject({ fourBit: false, gpuBytes: opened.gpuBytes });
  });

  it('refuses full fine-tuning of a 4-bit base, by name', async () => {
    const request = requestOf(datasetId, { peft: FULL_TUNING });
    const training = { ...request.training, load_in_4bit: true };
    await expect(engine.train({ ...request, training }, silent())).rejects.toMatchObject({
      code: 'unsupported-option',
      details: { field: 'load_in_4bit' },
    });
  });
});
