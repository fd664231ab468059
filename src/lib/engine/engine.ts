/**
 * The engine worker's object: implements EngineApi by handing each call to the part that owns it.
 * One model is open at a time; opening another closes it, unless a run is using it.
 */
import { DEFAULT_LORA_CONFIG, isJsonObject, type PeftConfig } from '../config';
import { countParameters, adaptedModel } from '../decoder';
import type { GpuError } from '../gpu';
import { fetchOwn } from '../hub';
import { layoutAdapter } from '../peft';
import type { CallContext } from '../rpc/protocol';
import type {
  ChatProgress,
  ChatRequest,
  ChatResult,
  DeviceReport,
  EngineApi,
  LoadProgress,
  OpenModel,
  RecommendedRecipe,
  RowPreview,
  WaitsFor,
} from '../rpc/engine-api';
import { estimateStorage, TABLE_NAMES, type FileStore, type Tables } from '../storage';
import { countParts, cutsAnswer, measureRow, previewRow } from '../text';
import { AdapterLibrary } from './adapter-library';
import { ArchiveService, refuseWhileArchiving } from './archive-service';
import { BUNDLED_SAMPLES } from './bundled-models';
import { EngineDevice, type EngineContext } from './context';
import { DatasetInspector } from './dataset-inspector';
import { DatasetLibrary, viewRow } from './dataset-library';
import { EngineError } from './errors';
import { EvaluationService } from './evaluation-service';
import { ExportService } from './export-service';
import {
  chooseTalkBackend,
  knownModel,
  UnopenedModels,
  type KnownModel,
  type TalkOn,
} from './known-model';
import { MemoryExperience } from './memory-experience';
import { ModelLibrary } from './model-library';
import { LoadedModel, type SpeakerWork, type TalkUse } from './open-model';
import { QuestionRows } from './question-rows';
import { RunLibrary } from './run-library';
import { describeGpu } from './run-provenance';
import { SharedWork } from './shared-work';
import { StorageCleaner } from './storage-cleaner';
import { TimeMeter } from './time-meter';
import { trainerStateOf } from './run-trainer-state';
import { TrainingPredictor } from './training-predictor';
import { TrainingService } from './training-service';

export interface EngineOptions {
  files: FileStore;
  tables: Tables;
  /** `navigator.gpu`; undefined where there is none. */
  gpu: GPU | undefined;
  /** Folder of the page's own files, ending in `/`. */
  baseUrl: string;
  /** What answers; `auto` unless a test asks for one of the two. */
  talkOn?: TalkOn;
}

type Signal = Pick<CallContext, 'signal'>;

export function createEngine({
  files,
  tables,
  gpu,
  baseUrl,
  talkOn = 'auto',
}: EngineOptions): EngineApi {
  let opened: SharedWork<LoadedModel, LoadProgress> | undefined;
  let openedId: string | undefined;
  let openedInFourBits = false;
  const meter = new TimeMeter();

  const onLost = (_error: GpuError) => {
    opened = undefined;
    openedId = undefined;
  };
  const context: EngineContext = { files, tables, baseUrl, device: new EngineDevice(gpu, onLost) };
  const models = new ModelLibrary(context);
  const unopened = new UnopenedModels(models);
  const datasets = new DatasetLibrary(context);
  const runs = new RunLibrary(context);
  const adapters = new AdapterLibrary(context, runs);
  const experience = new MemoryExperience(context);
  const cleaner = new StorageCleaner(context, runs, models, adapters);

  /**
   * The open model, opened or changed when it has to be.
   * @param fourBit with its linear layers in 4 bits; as it happens to be open when left out
   */
  async function open(
    modelId: string,
    { signal, progress }: Signal & { progress?: (update: LoadProgress) => void },
    fourBit?: boolean,
  ): Promise<LoadedModel> {
    signal.throwIfAborted();
    const asItIs = fourBit === undefined || training.holdsModel || fourBit === openedInFourBits;
    if (opened && !opened.abandoned && openedId === modelId && asItIs)
      return opened.wait(signal, progress);
    if (opened && training.holdsModel)
      throw new EngineError(
        'model-in-use',
        'A training run is using the open model. Stop it before another model is opened.',
      );
    const before = opened;
    unopened.forget();
    openedId = modelId;
    openedInFourBits = fourBit ?? false;
    const opening = new SharedWork<LoadedModel, LoadProgress>(async (stop, tell) => {
      await close(before);
      return load(modelId, fourBit ?? false, stop, tell);
    });
    opened = opening;
    void opening.settled().then((model) => {
      if (!model && opened === opening) opened = openedId = undefined;
    });
    return opening.wait(signal, progress);
  }

  async function load(
    modelId: string,
    fourBit: boolean,
    signal: AbortSignal,
    progress: (update: LoadProgress) => void,
  ): Promise<LoadedModel> {
    const { summary, folder } = await models.obtain(modelId, { signal, progress });
    const device = await context.device.gpu();
    const talksOn = chooseTalkBackend(device, talkOn);
    return LoadedModel.open(summary, folder, device, { talksOn, fourBit, signal, progress });
  }

  /**
   * A model without its weights, read from this device. One that is open, that is small and will be, or that is not here is
   * opened instead.
   */
  async function know(modelId: string, { signal }: Signal): Promise<KnownModel> {
    signal.throwIfAborted();
    const model = await models.get(modelId);
    if (openedId === modelId || model.origin === 'bundled' || !model.present)
      return open(modelId, { signal });
    const folder = await unopened.folder(model);
    signal.throwIfAborted();
    return knownModel(model, folder, chooseTalkBackend(await context.device.gpu(), talkOn));
  }

  async function close(model: typeof opened): Promise<void> {
    await meter.stop();
    await (await model?.settled())?.close();
  }

  /** Runs `work` with the voice of an adapter, or of the model itself, which is held until it ends. */
  async function speakAs<T>(
    adapterId: string | undefined,
    model: LoadedModel,
    { kind, ...use }: TalkUse,
    work: SpeakerWork<T>,
  ): Promise<T> {
    if (adapterId === undefined) return model.speak(use, work);
    const { id, name } = await adapters.get(adapterId);
    const as = { kind, adapterId: id, adapterName: name };
    const load = () => adapters.load(id, model.summary.id, model.folder.config);
    return model.speakAs({ id, load }, { ...use, as }, work);
  }

  async function forget(adapterIds: readonly string[]): Promise<void> {
    const model = await opened?.settled();
    for (const id of adapterIds) await model?.forgetAdapter(id);
  }

  const training = new TrainingService({ context, datasets, runs, adapters, open });
  const predictor = new TrainingPredictor({
    ...{ context, datasets, adapters, open, know, meter, experience },
    isTraining: () => training.active,
  });
  const inspector = new DatasetInspector({ datasets, know });
  const questions = new QuestionRows({ datasets, runs, adapters });
  const evaluations = new EvaluationService({ context, questions, adapters, open, speakAs });
  const exports = new ExportService({ context, models, adapters, runs, open });
  const archive = new ArchiveService(context, runs, adapters);

  async function describeDevice(): Promise<DeviceReport> {
    const device = await context.device.gpu();
    const { blocked } = context.device;
    return {
      ...describeGpu(device),
      talksOn: chooseTalkBackend(device, talkOn),
      trainingBlocked: blocked && { code: blocked.code, message: blocked.message },
      storage: await estimateStorage(),
    };
  }

  async function chat(
    request: ChatRequest,
    { signal, progress }: CallContext<ChatProgress>,
  ): Promise<ChatResult> {
    const model = await open(request.modelId, { signal });
    const onWaiting = (waitsFor?: WaitsFor) => progress({ text: '', waitsFor });
    const use = { kind: 'chat', signal, onWaiting } as const;
    const { text, promptTokens, newTokens, firstTokenMs, tokensPerSecond, stoppedBy } =
      await speakAs(request.adapterId, model, use, ({ session, adapter }) =>
        session.generate({
          messages: request.messages,
          generation: request.generation,
          adapter,
          signal,
          onText: (piece) => progress({ text: piece }),
        }),
      );
    return { text, promptTokens, newTokens, firstTokenMs, tokensPerSecond, stoppedBy };
  }

  async function preview(
    input: Parameters<EngineApi['previewRow']>[0],
    { signal }: Signal,
  ): Promise<RowPreview> {
    const model = await know(input.modelId, { signal });
    const [row] = await datasets.rows(input.datasetId, input.index, 1);
    if (!row) throw new EngineError('not-found', `The data set has no row ${input.index + 1}.`);
    const { tokenizer, config } = model.folder;
    const { trainOnPrompt } = input;
    const maxLength = Math.min(input.maxLength, config.maxPositionEmbeddings);
    const options = { template: 'auto', maxLength, trainOnPrompt } as const;
    const measure = measureRow(row, tokenizer, { template: 'auto', trainOnPrompt });
    const isSplit = input.splitLongText === true && measure.isSplittable;
    const parts = isSplit ? countParts(measure.tokens, maxLength) : 1;
    return {
      ...viewRow(row),
      tokens: previewRow(row, tokenizer, options).map(({ text, hasLoss }) => ({ text, hasLoss })),
      truncated: parts === 1 && measure.tokens > maxLength,
      fullLength: measure.tokens,
      answerCut: parts === 1 && cutsAnswer(measure, maxLength),
      parts,
    };
  }

  /** Read from the file beside the samples, so that recipe and data are tuned together. */
  async function recommendRecipe(
    modelId: string,
    datasetId: string,
  ): Promise<RecommendedRecipe | undefined> {
    const isSample = BUNDLED_SAMPLES.some(({ id }) => id === datasetId);
    if (!isSample || (await models.get(modelId)).origin !== 'bundled') return undefined;
    const response = await fetchOwn(`${baseUrl}samples/${modelId}.config.json`);
    const recipe: unknown = await response.json();
    if (!isJsonObject(recipe)) return undefined;
    const isLora = (name: string) => name in DEFAULT_LORA_CONFIG;
    const part = (wanted: (name: string) => boolean) =>
      Object.fromEntries(Object.entries(recipe).filter(([name]) => wanted(name)));
    return { lora: part(isLora), training: part((name) => !isLora(name)) };
  }

  async function countTrainable(modelId: string, peft: PeftConfig, signal: AbortSignal) {
    const { config } = (await know(modelId, { signal })).folder;
    const { trainableCount } = layoutAdapter(adaptedModel(config), peft);
    const added = peft.peft_type === 'FULL' ? 0 : trainableCount;
    return { trainableParams: trainableCount, allParams: countParameters(config) + added };
  }

  return {
    describeDevice,
    measureFreeable: () => cleaner.measure(),
    freeStorage: () => cleaner.clean(),
    deleteEverything: async () => {
      if (training.active)
        throw new EngineError('busy', 'A training run is going on. Stop it before deleting.');
      await refuseWhileArchiving();
      await close(opened);
      opened = openedId = undefined;
      unopened.forget();
      for (const { id } of await tables.list('datasets')) await tables.removeRows(id);
      for (const table of TABLE_NAMES) await tables.clear(table);
      await files.remove('');
    },

    listModels: () => models.list(),
    openModel: async ({ modelId }, call): Promise<OpenModel> =>
      (await open(modelId, call, false)).view,
    closeModel: async () => {
      if (training.active)
        throw new EngineError('model-in-use', 'A training run is using the open model.');
      const before = opened;
      opened = openedId = undefined;
      await close(before);
    },
    importModel: ({ files: dropped, name }, { signal, progress }) =>
      models.import(dropped, name, {
        signal,
        onProgress: (doneBytes, totalBytes) => progress({ stage: 'read', doneBytes, totalBytes }),
      }),
    deleteModel: async ({ modelId }) => {
      if (openedId === modelId) {
        if (training.active)
          throw new EngineError('model-in-use', 'A training run is using this model.');
        await close(opened);
        opened = openedId = undefined;
      }
      unopened.forget();
      await models.delete(modelId);
    },

    listDatasets: () => datasets.list(),
    importDataset: ({ file, mapping }) => datasets.import(file, mapping),
    readRows: async ({ datasetId, start, count }) =>
      (await datasets.rows(datasetId, start, count)).map(viewRow),
    previewRow: preview,
    inspectData: (request, call) => inspector.inspect(request, call),
    deleteDataset: ({ datasetId }) => datasets.delete(datasetId),
    recommendRecipe: ({ modelId, datasetId }) => recommendRecipe(modelId, datasetId),
    countParameters: ({ modelId, peft }, { signal }) => countTrainable(modelId, peft, signal),

    predictTraining: (request, call) => predictor.predict(request, call),
    predictTime: (request, call) => predictor.predictTime(request, call),
    compareFp16: (request, call) => predictor.compareFp16(request, call),
    compileAhead: (request, call) => predictor.compile(request, call),
    train: async (request, call) => {
      await meter.stop();
      await refuseWhileArchiving();
      return experience.learnFrom(training.train(request, call));
    },
    pauseTraining: async () => training.pause(),
    saveTraining: async () => training.saveSoon(),
    resumeTraining: async () => training.resume(),
    stopTraining: async ({ keep }) => training.stop(keep),
    listRuns: () => runs.list(),
    deleteRun: async ({ runId, keepAdapter }) => {
      await runs.refuseWhileActive(runId);
      const { checkpoints } = await runs.get(runId);
      const kept = keepAdapter ? await adapters.keepNewest(runId) : undefined;
      await runs.delete(runId, kept?.step);
      await forget(checkpoints.map(({ adapterId }) => adapterId).filter((id) => id !== kept?.id));
    },
    renameRun: ({ runId, name }) => runs.rename(runId, name),
    readTrainerState: ({ runId }) => trainerStateOf(runs, runId),

    listAdapters: () => adapters.list(),
    importAdapter: async ({ files: dropped, modelId, name }, { signal }) => {
      const { config } = (await know(modelId, { signal })).folder;
      return adapters.import(dropped, name, modelId, config);
    },
    deleteAdapter: async ({ adapterId }) => {
      const { id, runId } = await adapters.get(adapterId);
      if (runId !== undefined) await runs.refuseWhileActive(runId);
      await adapters.delete(id);
      await forget([id]);
    },

    chat,
    inspectQuestions: (choice) => questions.inspect(choice),
    evaluate: (request, call) => evaluations.evaluate(request, call),
    listEvaluations: () => evaluations.list(),
    deleteEvaluation: ({ evaluationId }) => evaluations.delete(evaluationId),

    merge: (request, call) => exports.merge(request, call),
    exportModel: (request, call) => exports.export(request, call),
    exportEverything: ({ page }, call) => archive.export(page, call),
    importEverything: ({ file }, call) => archive.import(file, call),
  };
}
