/**
 * Plan: with every method a run goes on from an adapter with new data, in the bytes of a trainer that was given
 * the same values; its options are the adapter's, whatever was asked; its record says what it started from; it
 * is predicted to the byte; killed after its first checkpoint it goes on to the same bytes though the first
 * adapter is deleted. Killed before, it says that the adapter is missing. An adapter of another model is refused.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_IA3_CONFIG, DEFAULT_LORA_CONFIG, FULL_TUNING, type PeftConfig } from '$lib/config';
import { adaptedModel, ModelWeights } from '$lib/decoder';
import type { Gpu } from '$lib/gpu';
import { readAdapter } from '$lib/peft';
import type { RunSummary, TrainEvent, TrainRequest } from '$lib/rpc/engine-api';
import { Trainer, writeCheckpoint } from '$lib/training';
import { requestTestGpu } from '../dawn';
import { openGolden } from '../goldens';
import { findRun, refusalOf, startEngine, takeAdapter } from './engines';
import { FailingGpu } from './failing-gpu';
import { Disk, Life } from './mortal-storage';
import { importSmallModel, importTokenRows, silent, smallRun } from './small-model';

const lora = { ...DEFAULT_LORA_CONFIG, r: 2, lora_alpha: 4, lora_dropout: 0.1 };
const METHODS: Record<string, PeftConfig> = {
  LoRA: lora,
  'LoRA with biases and rsLoRA': { ...lora, bias: 'all', use_rslora: true },
  DoRA: { ...lora, use_dora: true },
  PiSSA: { ...lora, init_lora_weights: 'pissa_niter_4' },
  OLoRA: { ...lora, init_lora_weights: 'olora' },
  IA3: DEFAULT_IA3_CONFIG,
  'prefix tuning': { peft_type: 'PREFIX_TUNING', num_virtual_tokens: 3 },
  'full fine-tuning': FULL_TUNING,
};

const SECOND = { learning_rate: 0.004, num_train_epochs: 2, save_strategy: 'steps', save_steps: 2 };

/** Other rows than those of the first round. */
const NEW_ROWS = Array.from({ length: 8 }, (_, i) => {
  const ids = Array.from({ length: 5 + ((i * 3) % 7) }, (_, t) => (i * 13 + t * 29) % 97);
  return { input_ids: ids, labels: ids };
});

describe('a second round', () => {
  let gpu: Gpu;
  let golden: Awaited<ReturnType<typeof openGolden>>;
  let weights: ModelWeights;
  beforeAll(async () => {
    gpu = await requestTestGpu();
    golden = await openGolden('llama-tied');
    weights = await ModelWeights.upload(gpu, golden.config, golden.checkpoint.source);
  });
  afterAll(() => gpu.dispose());

  async function train(
    disk: Disk,
    request: TrainRequest,
    progress: (event: TrainEvent) => void = () => {},
    life = new Life(),
  ): Promise<RunSummary> {
    const entry = new FailingGpu();
    try {
      return await startEngine(disk, { gpu: entry, life }).train(request, {
        ...silent(),
        progress,
      });
    } finally {
      entry.loseDevice();
    }
  }

  /** Nothing reaches the disk any more once it is. */
  function killedAfterAStep(disk: Disk, request: TrainRequest): Promise<RunSummary> {
    const life = new Life();
    const progress = (event: TrainEvent) => {
      if (event.kind !== 'step') return;
      life.end();
      life.pass();
    };
    return train(disk, request, progress, life);
  }

  /** A model, a first run of this method on it, and what a second asks for. */
  async function afterFirst(peft: PeftConfig) {
    const disk = new Disk();
    const modelId = await importSmallModel(startEngine(disk));
    const firstRows = await importTokenRows(startEngine(disk));
    const first = await train(disk, {
      ...smallRun(modelId, firstRows, { num_train_epochs: 1 }),
      peft,
      name: 'first',
    });
    const file = new File([JSON.stringify(NEW_ROWS)], 'new.json');
    const { dataset } = await startEngine(disk).importDataset({ file }, silent());
    const request: TrainRequest = {
      ...smallRun(modelId, dataset!.id, SECOND as Partial<TrainRequest['training']>),
      // Not the adapter's: it is the adapter that counts.
      peft: { ...lora, r: 7 },
      initAdapterId: first.adapterId,
      name: 'second',
    };
    return { disk, first, request };
  }

  const filesOf = (entries: readonly string[]) =>
    new Map(
      entries.map((entry) => {
        const [name, content] = entry.split(' ');
        return [name, new Uint8Array(Buffer.from(content, 'base64'))];
      }),
    );

  /** What the trainer makes of the same values and rows, outside the engine. */
  async function trainedDirectly(disk: Disk, first: RunSummary, request: TrainRequest) {
    const files = filesOf(await takeAdapter(disk, first));
    const model = adaptedModel(golden.config);
    const { config: peft, values } = readAdapter(
      {
        configJson: new TextDecoder().decode(files.get('adapter_config.json')),
        weights: files.get('adapter_model.safetensors')!,
      },
      model,
    );
    const rows = NEW_ROWS.map(({ input_ids, labels }) => ({
      inputIds: Int32Array.from(input_ids),
      labels: Int32Array.from(labels),
    }));
    const trainer = await Trainer.create({
      ...{ gpu, config: golden.config, weights, peft, rows },
      args: request.training,
      initialValues: values,
    });
    await trainer.run();
    const made = writeCheckpoint(await trainer.checkpoint(), peft, model, 'base');
    trainer.dispose();
    return { peft, weights: made.get('adapter_model.safetensors')! };
  }

  it.each(Object.entries(METHODS))('with %s', async (_, method) => {
    const { disk, first, request } = await afterFirst(method);
    const expected = await trainedDirectly(disk, first, request);
    const predicting = new FailingGpu();
    const predicted = await startEngine(disk, { gpu: predicting }).predictTraining(
      request,
      silent(),
    );
    predicting.loseDevice();
    let gpuBytes = 0;
    const second = await train(disk, request, (event) => {
      if (event.kind === 'prepared') ({ gpuBytes } = event);
    });
    expect(second).toMatchObject({
      ...{ status: 'finished', step: 4, peft: expected.peft },
      startedFrom: { adapterId: first.adapterId, name: 'first', step: first.step },
    });
    expect(gpuBytes).toBe(predicted.memory.total);
    const made = await takeAdapter(disk, second);
    const digest = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
    expect(digest(filesOf(made).get('adapter_model.safetensors')!)).toBe(digest(expected.weights));
    const adapters = await startEngine(disk).listAdapters(undefined, silent());
    for (const { peft } of adapters.filter(({ id }) => id === first.adapterId))
      expect(peft).toEqual(expected.peft);

    const dying = train(disk, { ...request, name: 'killed' }, (event) => {
      if (event.kind === 'step' && event.step === 3) throw new Error('the tab is gone');
    });
    await expect(dying).rejects.toThrow('the tab is gone');
    await startEngine(disk).deleteRun({ runId: first.id }, silent());
    const killed = (await findRun(disk, 'killed'))!;
    const resumed = await train(disk, { ...request, resumeRunId: killed.id });
    expect(await takeAdapter(disk, resumed)).toEqual(made);
    expect(resumed.startedFrom).toEqual(second.startedFrom);
  });

  it('that was killed before its first checkpoint says which adapter is missing', async () => {
    const { disk, first, request } = await afterFirst(lora);
    const dying = killedAfterAStep(disk, request);
    await expect(dying).rejects.toThrow('the tab is gone');
    const { id: resumeRunId } = (await findRun(disk, 'second'))!;
    // Control: as long as the adapter is there, the run starts again from it.
    const again = await train(disk, { ...request, resumeRunId });
    expect(again).toMatchObject({ status: 'finished', startedFrom: { name: 'first' } });

    const dead = killedAfterAStep(disk, { ...request, name: 'third' });
    await expect(dead).rejects.toThrow('the tab is gone');
    await startEngine(disk).deleteRun({ runId: first.id }, silent());
    const third = (await findRun(disk, 'third'))!;
    const refusal = await refusalOf(train(disk, { ...request, resumeRunId: third.id }));
    expect(refusal).toMatchObject({ code: 'not-found' });
    expect(refusal.message).toContain(first.adapterId);
  });

  it('from an adapter of another model is refused', async () => {
    const { disk, request } = await afterFirst(lora);
    const modelId = await importSmallModel(startEngine(disk));
    expect(modelId).not.toBe(request.modelId);
    const refusal = await refusalOf(train(disk, { ...request, modelId }));
    expect(refusal.code).toBe('wrong-model');
    await expect(
      refusalOf(train(disk, { ...request, initAdapterId: 'adapter-nobody' })),
    ).resolves.toMatchObject({ code: 'not-found' });
  });
});

describe('what a run leaves out', () => {
  it('stays left out when it is resumed, and is in its record', async () => {
    const disk = new Disk();
    const modelId = await importSmallModel(startEngine(disk));
    const rows = [...NEW_ROWS, NEW_ROWS[0], { input_ids: Array(40).fill(5) }];
    const importRows = async (content: object[]) => {
      const file = new File([JSON.stringify(content)], 'rows.json');
      return (await startEngine(disk).importDataset({ file }, silent())).dataset!.id;
    };
    const settings = { ...SECOND, max_length: 20 } as Partial<TrainRequest['training']>;
    const run = async (request: TrainRequest, at?: number) => {
      const entry = new FailingGpu();
      let prepared: Extract<TrainEvent, { kind: 'prepared' }> | undefined;
      const progress = (event: TrainEvent) => {
        if (event.kind === 'prepared') prepared = event;
        if (event.kind === 'step' && event.step === at) throw new Error('the tab is gone');
      };
      try {
        const engine = startEngine(disk, { gpu: entry });
        return { summary: await engine.train(request, { ...silent(), progress }), prepared };
      } finally {
        entry.loseDevice();
      }
    };
    const clean = await run(smallRun(modelId, await importRows(NEW_ROWS), settings));
    const dirty = smallRun(modelId, await importRows(rows), settings);
    const leaveOut = ['duplicates', 'cut'] as const;
    const left = await run({ ...dirty, leaveOut });
    expect(left.prepared).toMatchObject({ trainRows: 8, cutRows: 0 });
    expect(left.summary.leaveOut).toEqual(leaveOut);
    // The model card says which rows there were.
    const learned = async (summary: RunSummary) =>
      (await takeAdapter(disk, summary)).filter((entry) => !entry.startsWith('README.md '));
    const expected = await learned(clean.summary);
    expect(await learned(left.summary)).toEqual(expected);

    await expect(run({ ...dirty, leaveOut, name: 'killed' }, 3)).rejects.toThrow('gone');
    const killed = (await findRun(disk, 'killed'))!;
    // The page may have forgotten; the record has not.
    const resumed = await run({ ...dirty, resumeRunId: killed.id });
    expect(await learned(resumed.summary)).toEqual(expected);
    const card = (await takeAdapter(disk, resumed.summary)).find((entry) =>
      entry.startsWith('README.md '),
    );
    expect(Buffer.from(card!.split(' ')[1], 'base64').toString()).toContain(
      'Left out of it: duplicates, cut',
    );
    const whole = await run(dirty);
    expect(whole.prepared).toMatchObject({ trainRows: 10, cutRows: 1 });
  });
});
