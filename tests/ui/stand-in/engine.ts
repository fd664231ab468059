/**
 * The scripted engine itself. Times are short, numbers plausible, failures on demand. One long file, because it
 * answers the whole of one contract, EngineApi, and each answer is a few lines.
 */
import type { PeftConfig } from '../../../src/lib/config';
import { InkstoneError } from '../../../src/lib/config/errors';
import type {
  ArchiveProgress,
  ChatProgress,
  ChatRequest,
  ChatResult,
  CountProgress,
  DatasetReport,
  DatasetSummary,
  DataInspection,
  DeviceReport,
  EngineApi,
  EvaluateRequest,
  EverythingExported,
  EverythingImported,
  Fp16Comparison,
  InspectRequest,
  LoadProgress,
  ModelSummary,
  PageKeepings,
  QuestionChoice,
  QuestionsInspection,
  RunSummary,
  TrainEvent,
  TimePrediction,
  TrainingPrediction,
  TrainRequest,
  TrainSettings,
  WaitsFor,
} from '../../../src/lib/rpc/engine-api';
import type { CallContext } from '../../../src/lib/rpc/protocol';
import {
  ADAPTERS,
  adaptersOf,
  BROKEN_ROUND,
  DATASETS,
  MODELS,
  report,
  rowsOf,
  RUNS,
} from './fixtures';
import { inspect, preview, type PreviewInput } from './inspection';
import { wait, type Scenario } from './scenario';
import { answerOf, ScriptedTrainer } from './trainer';

/** Where the rows that a run held back are from. */
const heldBackBy = (run: RunSummary): string => run.evalDatasetId ?? run.datasetId;

const MB = 1024 ** 2;
const GB = 1024 ** 3;

/** Of at least three checkpoints, with moments of twice an adapter. */
function storageOf(adapter: number, { save_total_limit }: TrainSettings['training']) {
  const kept = Math.min(2, save_total_limit ?? 2);
  return {
    kept: (kept + 2) * adapter,
    peak: (kept + 5) * adapter,
    peakWithResumePoint: (kept + 6) * adapter,
    ...{ perCheckpoint: adapter, keptBefore: kept, keptBeforeAtLeast: 1 },
  };
}

export class StandIn implements EngineApi {
  #scenario: Promise<Scenario>;
  #models = [...MODELS];
  #datasets = [...DATASETS];
  #runs = [...RUNS];
  #adapters = [...ADAPTERS];
  #evaluations = [report([undefined, 'adapter-1-step-120'], 'medical-zh-eval', 40)];
  #freeableBytes = 12 * MB;
  /** A run has found no memory. */
  #ranOut = false;
  #trainer = new ScriptedTrainer((run) => this.#take(run));

  constructor(scenario: Promise<Scenario>) {
    this.#scenario = scenario.then((name) => {
      if (name === 'fresh' || name === 'no-webgpu') {
        this.#models = this.#models.filter((model) => model.origin !== 'merged');
        this.#datasets = this.#datasets.filter((dataset) => dataset.origin === 'bundled');
        this.#runs = [];
        this.#adapters = [];
        this.#evaluations = [];
        this.#freeableBytes = 0;
      }
      if (name === 'from-elsewhere') {
        const { id: modelId } = MODELS.find(({ present }) => !present)!;
        this.#runs = this.#runs.map((run) => ({ ...run, modelId }));
        this.#adapters = this.#adapters.map((adapter) => ({ ...adapter, modelId }));
      }
      if (name === 'broken-round') this.#runs = [...this.#runs, BROKEN_ROUND];
      return name;
    });
  }

  async describeDevice(): Promise<DeviceReport> {
    const scenario = await this.#scenario;
    if (scenario === 'second-tab')
      throw new InkstoneError('second-tab', 'Inkstone is open in another tab.');
    const gpu = scenario !== 'no-webgpu';
    const software = scenario === 'software-webgpu';
    return {
      backend: gpu ? 'webgpu' : 'wasm',
      talksOn: gpu && !software ? 'webgpu' : 'wasm',
      adapterName: software ? 'google swiftshader' : gpu ? 'Apple M2' : '',
      isSoftwareAdapter: software,
      f16: gpu && !software,
      subgroups: gpu,
      maxBufferBytes: gpu ? 4 * GB : 0,
      trainingBlocked: gpu
        ? undefined
        : { code: 'no-webgpu', message: 'This browser has no WebGPU.' },
      storage: {
        usedBytes: scenario === 'low-space' ? 9.8 * GB : 0.12 * GB,
        quotaBytes: 10 * GB,
        persisted: await navigator.storage.persisted(),
        durable: scenario !== 'private',
      },
    };
  }

  async listModels(): Promise<ModelSummary[]> {
    if ((await this.#scenario) === 'lists-fail')
      throw new InkstoneError('corrupt', 'models.json holds a string where a list is needed.');
    return this.#models;
  }

  async openModel(
    { modelId }: { modelId: string },
    { signal, progress }: CallContext<LoadProgress>,
  ) {
    const model = this.#models.find((item) => item.id === modelId)!;
    const stages = model.present
      ? (['read', 'upload', 'compile'] as const)
      : (['download', 'read', 'upload', 'compile'] as const);
    for (const stage of stages)
      for (let part = 1; part <= 4; part++) {
        await wait(stage === 'download' ? 300 : 40, signal);
        progress({ stage, doneBytes: (model.sizeBytes * part) / 4, totalBytes: model.sizeBytes });
      }
    const device = await this.describeDevice();
    this.#models = this.#models.map((item) =>
      item.id === modelId ? { ...item, present: true } : item,
    );
    return {
      ...model,
      present: true,
      backend: device.backend,
      talksOn: device.talksOn,
      fourBit: false,
      hasChatTemplate: true,
      maxLength: 1024,
      gpuBytes: model.sizeBytes,
    };
  }

  async closeModel() {}

  async importModel(
    { name }: { files: readonly File[]; name: string },
    { progress, signal }: CallContext<LoadProgress>,
  ) {
    if ((await this.#scenario) === 'storage-full')
      throw new InkstoneError('storage-full', 'The quota of 10 GB is used up.');
    for (let part = 1; part <= 4; part++) {
      await wait(60, signal);
      progress({ stage: 'read', doneBytes: part, totalBytes: 4 });
    }
    if (name.includes('gpt2'))
      throw new InkstoneError(
        'unsupported-architecture',
        'config.json names GPT2LMHeadModel as its architecture; supported are LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM.',
        {
          details: {
            found: 'GPT2LMHeadModel',
            allowed: 'LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM',
          },
        },
      );
    const model: ModelSummary = { ...MODELS[0], id: name, name, origin: 'imported' };
    this.#models.push(model);
    return model;
  }

  async deleteModel({ modelId }: { modelId: string }) {
    this.#models = this.#models.filter((model) => model.id !== modelId);
  }

  async listDatasets() {
    await this.#scenario;
    return this.#datasets;
  }

  async importDataset({
    file,
    mapping,
  }: {
    file: File;
    mapping?: Readonly<Record<string, string>>;
  }): Promise<DatasetReport> {
    const text = await file.text();
    if (file.name.endsWith('.json') && !/^\s*[[{]/.test(text))
      throw new InkstoneError('not-json', `${file.name} is not JSON.`, {
        details: { fileName: file.name },
      });
    const isForeign = text.includes('"q"');
    if (isForeign && !mapping)
      return {
        schema: 'unknown',
        columns: ['q', 'a', 'source'],
        suggestedMapping: { instruction: 'q', output: 'a' },
        unusedColumns: ['q', 'a', 'source'],
        problems: [],
        duplicateCount: 0,
      };
    if (text.includes('"image_url"') && mapping?.messages !== 'spoken')
      return {
        schema: 'messages',
        columns: ['messages', 'spoken'],
        suggestedMapping: mapping ?? { messages: 'messages' },
        unusedColumns: ['spoken'],
        problems: [
          { row: 1, field: 'messages[0].content[1]', kind: 'not-text', found: '"image_url"' },
        ],
        duplicateCount: 0,
      };
    const isText = file.name.endsWith('.txt');
    const dataset: DatasetSummary = {
      ...{ ...DATASETS[4], id: `own-${file.name}`, name: file.name, rowCount: 5 },
      ...(isText && { schema: 'text', rowCount: 42 }),
    };
    this.#datasets = [...this.#datasets.filter((item) => item.id !== dataset.id), dataset];
    const columns = isForeign
      ? ['q', 'a', 'source']
      : ['instruction', 'input', 'output', 'id', 'source'];
    const read = mapping ?? { instruction: 'instruction', input: 'input', output: 'output' };
    return {
      dataset,
      schema: dataset.schema,
      columns,
      suggestedMapping: read,
      unusedColumns: columns.filter((name) => !Object.values(read).includes(name)),
      problems: [
        { row: 3, field: 'output', kind: 'empty-output', found: '""' },
        { row: 7, field: 'instruction', kind: 'missing-field', found: 'question, answer' },
      ],
      duplicateCount: 1,
    };
  }

  async readRows(input: { datasetId: string; start: number; count: number }) {
    const rows = rowsOf(input.datasetId);
    return Array.from({ length: input.count }, (_, i) => rows[(input.start + i) % rows.length]);
  }

  async previewRow(input: PreviewInput) {
    return preview(input);
  }

  async inspectData(
    request: InspectRequest,
    { signal, progress }: CallContext<CountProgress>,
  ): Promise<DataInspection> {
    const slow = (await this.#scenario) === 'slow';
    const { rowCount } = this.#datasets.find(({ id }) => id === request.datasetId)!;
    for (let part = 1; part <= 4; part++) {
      await wait(slow ? 1500 : 20, signal);
      progress({ done: (rowCount * part) / 4, total: rowCount });
    }
    return inspect(request, rowCount);
  }

  async deleteDataset({ datasetId }: { datasetId: string }) {
    this.#datasets = this.#datasets.filter((dataset) => dataset.id !== datasetId);
  }

  async predictTraining({ peft, training }: TrainSettings): Promise<TrainingPrediction> {
    await wait(60);
    const { per_device_train_batch_size: batch, max_length } = training;
    const activations = batch * max_length * 24_000;
    const parts = { weights: 13 * MB, adapter: 0.4 * MB, optimizer: 1.2 * MB, inputs: 0.6 * MB };
    const sum = Object.values(parts).reduce((all, bytes) => all + bytes, activations);
    return {
      memory: { ...parts, activations, total: sum },
      exceeds:
        batch > 64
          ? {
              message: 'step/slot 0 needs a buffer of 536870912 bytes, this GPU allows 268435456.',
              suggestion:
                peft.peft_type === 'FULL'
                  ? 'peft_type=LORA, per_device_train_batch_size=32, gradient_accumulation_steps=8'
                  : 'per_device_train_batch_size=32, gradient_accumulation_steps=8, optim=adamw_8bit',
            }
          : undefined,
      shortage:
        this.#ranOut && batch > 2
          ? {
              failedBytes: 58 * MB,
              suggestion: 'per_device_train_batch_size=2, gradient_accumulation_steps=8',
              suggestedBytes: 39 * MB,
            }
          : undefined,
      totalSteps: Math.ceil((120 / batch / training.gradient_accumulation_steps) * 3),
      storage: storageOf(await this.#adapterBytes(peft), training),
      trainRows: 120,
      cutRows: max_length < 64 ? 3 : 0,
      splitTexts: {
        rows: training.split_long_text ? 3 : 0,
        parts: training.split_long_text ? 8 : 0,
        maxLength: max_length,
      },
      longestRow: Math.min(61, max_length),
    };
  }

  /** With little space left two checkpoints of LoRA find no room, but one does; a whole model never does. */
  async #adapterBytes({ peft_type }: TrainSettings['peft']): Promise<number> {
    if ((await this.#scenario) !== 'low-space') return 0.4 * MB;
    return peft_type === 'FULL' ? 250 * MB : 30 * MB;
  }

  async predictTime(
    settings: TrainSettings,
    { signal }: CallContext<never>,
  ): Promise<TimePrediction> {
    await wait(300, signal);
    return this.#timeOf(settings);
  }

  async compareFp16(
    settings: TrainSettings,
    { signal }: CallContext<never>,
  ): Promise<Fp16Comparison | undefined> {
    if (!(await this.describeDevice()).f16) return undefined;
    await wait(300, signal);
    const secondsOf = async (fp16: boolean) =>
      (await this.#timeOf({ ...settings, training: { ...settings.training, fp16 } })).totalSeconds;
    return { withSeconds: await secondsOf(true), withoutSeconds: await secondsOf(false) };
  }

  async #timeOf(settings: TrainSettings): Promise<TimePrediction> {
    const { totalSteps } = await this.predictTraining(settings);
    const { per_device_train_batch_size: batch, fp16 } = settings.training;
    const speedup = { 'fp16-faster': 1.6, 'fp16-slower': 0.25 };
    const scenario = (await this.#scenario) as keyof typeof speedup;
    const secondsPerStep = (0.085 * batch) / (fp16 ? (speedup[scenario] ?? 1.1) : 1);
    const totalSeconds = totalSteps * secondsPerStep;
    return { secondsPerStep, secondsPerEvaluation: 0, totalSeconds, savedBetween: false };
  }

  async compileAhead() {}

  async train(request: TrainRequest, context: CallContext<TrainEvent>): Promise<RunSummary> {
    const run = await this.#trainer
      .run(request, await this.#scenario, context)
      .catch((error: { code?: string }) => {
        this.#ranOut ||= error.code === 'out-of-memory';
        throw error;
      });
    if (run.adapterId) this.#take(run);
    return run;
  }

  #take(run: RunSummary): void {
    this.#runs = [...this.#runs.filter(({ id }) => id !== run.id), run];
    const own = adaptersOf(run).map((adapter) => ({ ...adapter, createdAt: Date.now() }));
    this.#adapters = [...this.#adapters.filter(({ runId }) => runId !== run.id), ...own];
  }

  async saveTraining() {}

  async pauseTraining() {
    this.#trainer.paused = true;
  }
  async resumeTraining() {
    this.#trainer.paused = false;
  }
  async stopTraining(stop: { keep: boolean }) {
    this.#trainer.stop = stop;
  }
  async listRuns() {
    await this.#scenario;
    return this.#runs;
  }
  async deleteRun({ runId, keepAdapter }: { runId: string; keepAdapter?: boolean }) {
    const kept = keepAdapter ? this.#runs.find(({ id }) => id === runId)?.adapterId : undefined;
    this.#runs = this.#runs.filter((run) => run.id !== runId);
    this.#adapters = this.#adapters.filter(
      (adapter) => adapter.runId !== runId || adapter.id === kept,
    );
  }
  async renameRun({ runId, name }: { runId: string; name: string }) {
    this.#runs = this.#runs.map((run) => (run.id === runId ? { ...run, name } : run));
  }
  async readTrainerState({ runId }: { runId: string }): Promise<string> {
    const { name, step, log } = this.#runs.find(({ id }) => id === runId)!;
    if ((await this.#scenario) === 'low-space')
      throw new InkstoneError('evicted', `${name} is no longer whole on this device.`, {
        details: { name },
      });
    return JSON.stringify({ global_step: step, log_history: log });
  }

  async listAdapters() {
    await this.#scenario;
    return this.#adapters;
  }
  async importAdapter({ name, modelId }: { name: string; modelId: string }) {
    const adapter = { ...ADAPTERS[0], id: name, name, modelId, origin: 'imported' as const };
    this.#adapters.push(adapter);
    return adapter;
  }
  async deleteAdapter({ adapterId }: { adapterId: string }) {
    this.#adapters = this.#adapters.filter((adapter) => adapter.id !== adapterId);
    this.#runs = this.#runs.map((run) => {
      const checkpoints = run.checkpoints.filter((item) => item.adapterId !== adapterId);
      return { ...run, checkpoints, adapterId: checkpoints.at(-1)?.adapterId };
    });
  }

  async measureFreeable() {
    await this.#scenario;
    return this.#freeableBytes;
  }
  async freeStorage() {
    const freed = this.#freeableBytes;
    this.#freeableBytes = 0;
    return freed;
  }

  async chat(
    request: ChatRequest,
    { signal, progress }: CallContext<ChatProgress>,
  ): Promise<ChatResult> {
    const question = request.messages.at(-1)!.content;
    if (request.adapterId)
      await this.#waitFor('evaluation', signal, (waitsFor) => progress({ text: '', waitsFor }));
    const chinese = /\p{Script=Han}/u.test(question);
    const text = request.adapterId
      ? (answerOf(question) ?? (chinese ? '多休息，多喝温水。' : 'Rest and drink warm water.'))
      : chinese
        ? '我不知道。我只学过一点点。'
        : 'I do not know. I have only learned a little.';
    const pauseMs = (await this.#scenario) === 'slow' ? 4000 : 40;
    for (const piece of text.match(/.{1,3}/gsu) ?? []) {
      await wait(pauseMs, signal);
      progress({ text: piece });
    }
    return {
      text,
      promptTokens: 24,
      newTokens: text.length,
      firstTokenMs: 86,
      tokensPerSecond: request.adapterId ? 148.2 : 163.7,
      stoppedBy: 'end',
    };
  }

  async #waitFor(
    kind: 'chat' | 'evaluation',
    signal: AbortSignal,
    tell: (waitsFor?: WaitsFor) => void,
  ): Promise<void> {
    if ((await this.#scenario) !== 'waits') return;
    const { id: adapterId, name: adapterName } = this.#adapters.at(-1)!;
    tell({ kind, adapterId, adapterName });
    await wait(4000, signal);
    tell();
  }

  /** An adapter has learned from all of its run's own data, and from nothing else. */
  async inspectQuestions({
    adapterIds,
    datasetId,
    maxRows,
  }: QuestionChoice & {
    adapterIds: readonly (string | undefined)[];
  }): Promise<QuestionsInspection> {
    const count = maxRows || 60;
    const learnedRows = adapterIds.map((adapterId) => {
      const { runId } = this.#adapters.find(({ id }) => id === adapterId) ?? {};
      const run = this.#runs.find(({ id }) => id === runId);
      return run && (run.datasetId === datasetId ? count : 0);
    });
    return { count, learnedRows };
  }

  async evaluate(request: EvaluateRequest, { signal, progress }: CallContext<CountProgress>) {
    const total = (request.maxRows || 60) * request.adapterIds.length;
    await this.#waitFor('chat', signal, (waitsFor) => progress({ done: 0, total, waitsFor }));
    for (let done = 0; done <= total; done += 4) {
      await wait(25, signal);
      progress({ done, total });
    }
    const { count, learnedRows } = await this.inspectQuestions(request);
    const run = this.#runs.find(({ id }) => id === request.heldBackOf);
    const made = report(request.adapterIds, request.datasetId ?? heldBackBy(run!), count);
    if (run) made.heldBackOf = { runId: run.id, name: run.name };
    made.scores = made.scores.map((score, i) => ({ ...score, learnedRows: learnedRows[i] }));
    this.#evaluations.push(made);
    return made;
  }

  async listEvaluations() {
    await this.#scenario;
    return this.#evaluations;
  }

  async deleteEvaluation({ evaluationId }: { evaluationId: string }) {
    this.#evaluations = this.#evaluations.filter(({ id }) => id !== evaluationId);
  }

  async merge(
    { modelId, name }: { modelId: string; adapterId: string; name: string },
    { signal, progress }: CallContext<CountProgress>,
  ) {
    for (let done = 1; done <= 8; done++) {
      await wait(40, signal);
      progress({ done, total: 8 });
    }
    const model: ModelSummary = { ...MODELS[0], id: `merged-${modelId}`, name, origin: 'merged' };
    this.#models.push(model);
    return model;
  }

  async exportModel(
    { format }: { modelId: string; adapterId?: string; format: string },
    { signal, progress }: CallContext<CountProgress>,
  ) {
    for (let done = 1; done <= 8; done++) {
      await wait(40, signal);
      progress({ done, total: 8 });
    }
    const fileName = `nano-lm-${format}.zip`;
    return { fileName, file: new File([new Uint8Array(395_264)], fileName) };
  }

  async exportEverything(
    { page }: { page: PageKeepings },
    { signal, progress }: CallContext<ArchiveProgress>,
  ): Promise<EverythingExported> {
    await this.#copy('copy', 24 * MB, signal, progress);
    if ((await this.#scenario) === 'storage-full')
      throw new InkstoneError('full', 'There is no room on this device for inkstone.zip.');
    const fileName = 'inkstone-2026-11-24.zip';
    return {
      fileName,
      file: new File([JSON.stringify(page)], fileName),
      counts: {
        models: this.#models.filter(({ origin }) => origin === 'merged').length,
        datasets: this.#datasets.filter(({ origin }) => origin === 'imported').length,
        runs: this.#runs.length,
        adapters: 0,
        evaluations: this.#evaluations.length,
      },
      leftOut:
        (await this.#scenario) === 'low-space'
          ? [
              {
                name: 'nano-lm-clinic',
                code: 'evicted',
                message:
                  'nano-lm-clinic is no longer whole on this device: the browser has cleared files of it. Delete it and import it again.',
              },
            ]
          : [],
    };
  }

  /** The file's text says what it is: `again`, `copies`, `damaged`, `newer`, or a page's keepings as JSON. */
  async importEverything(
    { file }: { file: File },
    { signal, progress }: CallContext<ArchiveProgress>,
  ): Promise<EverythingImported> {
    const text = await file.text();
    progress({ stage: 'read', doneBytes: 0, totalBytes: 24 * MB });
    await wait(60, signal);
    if (text === 'damaged')
      throw new InkstoneError(
        'wrong-archive',
        `${file.name} cannot be imported: the bytes of models/model-1/files/model.safetensors are not those that were exported. Take the file as Inkstone wrote it; nothing was changed.`,
        { details: { fileName: file.name } },
      );
    if (text === 'newer')
      throw new InkstoneError(
        'newer-archive',
        `${file.name} was written by a newer Inkstone (format 2, this one reads 1). Reload the page to update it; nothing was changed.`,
        { details: { fileName: file.name } },
      );
    await this.#copy('compare', 12 * MB, signal, progress);
    await this.#copy('copy', 24 * MB, signal, progress);
    const none = { models: 0, datasets: 0, runs: 0, adapters: 0, evaluations: 0 };
    const some = { models: 1, datasets: 2, runs: 3, adapters: 1, evaluations: 1 };
    const page = text.startsWith('{') ? (JSON.parse(text) as PageKeepings) : {};
    const base = { copies: 0, newIds: {}, page };
    if (text === 'again') return { ...base, added: none, present: some };
    return text === 'copies'
      ? { ...base, added: { ...none, runs: 1, models: 1 }, present: some, copies: 2 }
      : { ...base, added: some, present: none };
  }

  async #copy(
    stage: ArchiveProgress['stage'],
    totalBytes: number,
    signal: AbortSignal,
    progress: (update: ArchiveProgress) => void,
  ): Promise<void> {
    const pauseMs = (await this.#scenario) === 'slow' ? 600 : 20;
    for (let part = 1; part <= 12; part++) {
      await wait(pauseMs, signal);
      progress({ stage, doneBytes: (totalBytes * part) / 12, totalBytes });
    }
  }

  async countParameters({ peft }: { peft: PeftConfig }) {
    if (peft.peft_type === 'FULL') return { trainableParams: 3_147_264, allParams: 3_147_264 };
    const r = peft.peft_type === 'LORA' ? peft.r : 1;
    return { trainableParams: 6_144 * r, allParams: 3_147_264 + 6_144 * r };
  }

  async recommendRecipe({ datasetId }: { modelId: string; datasetId: string }) {
    return datasetId.startsWith('medical')
      ? { lora: { r: 16 }, training: { learning_rate: 4e-3, num_train_epochs: 8 } }
      : undefined;
  }

  async deleteEverything() {
    this.#runs = [];
    this.#adapters = [];
    this.#datasets = DATASETS.filter((dataset) => dataset.origin === 'bundled');
    this.#models = MODELS.filter((model) => model.origin !== 'merged');
  }
}
