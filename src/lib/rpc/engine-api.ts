/**
 * The engine worker: one GPU device on which models are opened, trained, talked to, evaluated,
 * merged and exported. Long calls report progress and stop at their AbortSignal. One long file, because it
 * is one contract: what a page may ask, and every shape that crosses the worker's border.
 */
import type { Architecture } from '../config/model-config';
import type { LoraConfig } from '../config/lora-config';
import type { PeftConfig } from '../config/peft-config';
import type { TrainingArguments } from '../config/training-arguments';
import type { ApiMethod } from './protocol';

export type Backend = 'webgpu' | 'wasm';

export interface DeviceReport {
  /** `webgpu` where there is a usable adapter: only then can a model be trained. */
  backend: Backend;
  /** What answers: `wasm` on a software adapter too, where it is far faster than WebGPU. */
  talksOn: Backend;
  /** Empty without WebGPU. */
  adapterName: string;
  /** WebGPU is computed by the processor: training works, slowly. */
  isSoftwareAdapter: boolean;
  /** The adapter computes in 16 bits: needed by `fp16` of the training arguments, and by nothing else. */
  f16: boolean;
  subgroups: boolean;
  maxBufferBytes: number;
  /** Why training is not possible here; undefined when it is. */
  trainingBlocked?: { code: string; message: string };
  storage: StorageReport;
}

export interface StorageReport {
  usedBytes: number;
  quotaBytes: number;
  persisted: boolean;
  /** False in private windows of some browsers: nothing will outlive the tab. */
  durable: boolean;
}

/** A model on this device or one that a click would bring. */
export interface ModelSummary {
  id: string;
  name: string;
  origin: 'bundled' | 'catalogue' | 'imported' | 'merged';
  /** On this device, ready to open offline. */
  present: boolean;
  architecture: Architecture;
  parameterCount: number;
  sizeBytes: number;
  licence: string;
  languages: readonly string[];
  /** The repository's commit, of a model that was downloaded. */
  revision?: string;
  /** Of any other: SHA-256 of its weights, hexadecimal; undefined where an older version took it in. */
  weightsHash?: string;
}

export interface OpenModel extends ModelSummary {
  /** `webgpu` where the model can be trained. */
  backend: Backend;
  /** What answers, as in DeviceReport. */
  talksOn: Backend;
  /** Open with its linear layers in 4 bits, as QLoRA trains on it. */
  fourBit: boolean;
  hasChatTemplate: boolean;
  maxLength: number;
  /** GPU memory that the weights take. */
  gpuBytes: number;
}

export interface LoadProgress {
  stage: 'download' | 'read' | 'upload' | 'compile';
  doneBytes: number;
  totalBytes: number;
}

// --- data -------------------------------------------------------------------------------------

export type DatasetSchema =
  'alpaca' | 'prompt-completion' | 'messages' | 'sharegpt' | 'text' | 'tokenised' | 'unknown';

export interface DatasetSummary {
  id: string;
  name: string;
  schema: DatasetSchema;
  rowCount: number;
  /** SHA-256 of the rows, hexadecimal. */
  hash: string;
  createdAt: number;
  origin: 'bundled' | 'imported';
}

export interface DatasetProblem {
  /** 1-based. */
  row: number;
  field: string;
  kind: string;
  found: string;
}

export interface DatasetReport {
  /** Undefined while the columns still need a mapping, and where no row can be used as it was read. */
  dataset?: DatasetSummary;
  /** What the rows were read as; `unknown` where the columns fit no form. */
  schema: DatasetSchema;
  columns: readonly string[];
  /** Our fields and the columns that were read as them; where the form is unknown, a guess. */
  suggestedMapping: Readonly<Record<string, string>>;
  /** Columns and fields of turns that nothing reads. */
  unusedColumns: readonly string[];
  problems: readonly DatasetProblem[];
  duplicateCount: number;
}

export interface DatasetRowView {
  /** As a person reads it. */
  instruction: string;
  input: string;
  output: string;
}

export interface TokenView {
  text: string;
  hasLoss: boolean;
}

export interface RowPreview extends DatasetRowView {
  tokens: readonly TokenView[];
  truncated: boolean;
  /** Tokens before the cut. */
  fullLength: number;
  /** Part of the answer was cut off. */
  answerCut: boolean;
  /** Rows that it is learned as; the tokens are the first one's. */
  parts: number;
}

/**
 * What a run leaves out where it is asked to: every row that says what an earlier one says, rows with an empty
 * answer, rows to learn from whose answer `max_length` cuts, and rows held back whose question is learned from.
 */
export type LeaveOut = 'duplicates' | 'empty' | 'cut' | 'leaked';

export interface InspectRequest extends Pick<
  TrainRequest,
  'modelId' | 'datasetId' | 'evalShare' | 'evalDatasetId' | 'leaveOut'
> {
  maxLength: number;
  trainOnPrompt: boolean;
  splitLongText?: boolean;
  seed: number;
}

export interface FoundRow {
  /** 0-based, of the data set; of `leaked` in that of `evalDatasetId`, where there is one. */
  index: number;
  /** 0-based row of the data set that says, or of `leaked` asks, the same. */
  like?: number;
  /** Of `cut`: before the cut. */
  tokens?: number;
}

export interface DataFinding {
  count: number;
  /** In order; the first thousand. */
  rows: readonly FoundRow[];
}

export interface LengthBar {
  /** Tokens, both ends included. */
  from: number;
  to: number;
  rows: number;
  /** Those of them whose answer is cut. */
  cutRows: number;
}

/** Long texts that `split_long_text` makes several rows of. */
export interface SplitTexts {
  /** Of the data. */
  readonly rows: number;
  /** What these become. */
  readonly parts: number;
  /** Tokens that a part may have: `max_length`, or what the model can take where that is less. */
  readonly maxLength: number;
}

/** What is worth knowing of data before a run on it. */
export interface DataInspection {
  rowCount: number;
  /** As the run would have them; a text that is split is one. */
  trainRows: number;
  evalRows: number;
  /** Of the rows to learn from. */
  splitTexts: SplitTexts;
  /** `max_length`, or what the model can take where that is less. */
  maxLength: number;
  /** Of the rows to learn from, before `max_length` and what `cut` leaves out. */
  lengths: {
    bars: readonly LengthBar[];
    /** The last bar is open: it holds all that are longer. */
    hasTail: boolean;
    longest: number;
    median: number;
  };
  /** The smallest length that cuts no answer; undefined where the model cannot take so much. */
  uncutLength?: number;
  /** Whether they are left out or not. */
  findings: Readonly<Record<LeaveOut, DataFinding>>;
}

// --- training ---------------------------------------------------------------------------------

export interface TrainRequest {
  modelId: string;
  datasetId: string;
  /** Share of rows held back for evaluation, 0 to 0.9; ignored when `evalDatasetId` is given. */
  evalShare: number;
  evalDatasetId?: string;
  leaveOut?: readonly LeaveOut[];
  /** An adapter of the model whose values the run starts from, with the options that it was made with. */
  initAdapterId?: string;
  /** Taken from the adapter where `initAdapterId` is given. */
  peft: PeftConfig;
  training: TrainingArguments;
  /** Shown again and again while the model learns. */
  samplePrompts: readonly string[];
  /** Steps between two rounds of these questions. 0, or left out: six rounds, fewer where they take long. */
  sampleEvery?: number;
  /** Tokens that one of these answers may have; see SAMPLE_TOKENS, also for where it is left out. */
  max_new_tokens?: number;
  /** Continue a stopped or interrupted run from its last checkpoint. */
  resumeRunId?: string;
  name: string;
}

/** What decides how a run goes, and what it takes. */
export type TrainSettings = Omit<
  TrainRequest,
  'samplePrompts' | 'sampleEvery' | 'max_new_tokens' | 'resumeRunId' | 'name'
>;

/** What decides which kernels a run needs. */
export type KernelSettings = Pick<TrainSettings, 'modelId' | 'initAdapterId' | 'peft' | 'training'>;

/** What takes a while before the first step. */
export type PreparedPart = 'rows' | 'adapter';

export type TrainEvent =
  | { kind: 'preparing'; part: PreparedPart; /** 0 to 1. */ share: number }
  | {
      kind: 'prepared';
      runId: string;
      totalSteps: number;
      trainableParams: number;
      allParams: number;
      /** Of the data: a text that is split is one. */
      trainRows: number;
      evalRows: number;
      /** Rows whose answer is cut by `max_length`. */
      cutRows: number;
      splitTexts: SplitTexts;
      gpuBytes: number;
      /** Step that the run goes on from; 0 for a new one. */
      startStep: number;
    }
  | {
      kind: 'evaluation';
      step: number;
      /** Mean loss over the rows held back. */
      evalLoss: number;
      /** Share of their targets that the model has right. */
      tokenAccuracy: number;
    }
  | {
      kind: 'step';
      step: number;
      epoch: number;
      loss: number;
      gradNorm: number;
      learningRate: number;
      tokensPerSecond: number;
      secondsLeft: number;
      gpuBytes: number;
    }
  | ({ kind: 'sample' } & SampleAnswer)
  /** The run goes on without this answer, or, where there is no prompt, without any after this step. */
  | { kind: 'sample-failed'; step: number; prompt?: string; error: ToldError }
  | { kind: 'checkpoint'; step: number }
  /**
   * The device had no room for this step's checkpoint; earlier ones are untouched. The run goes on, or,
   * when it was the last, waits until it is told to resume or to stop.
   */
  | { kind: 'storage-full'; step: number; waiting: boolean }
  | { kind: 'paused'; step: number }
  | { kind: 'resumed'; step: number };

export interface SampleAnswer {
  step: number;
  prompt: string;
  text: string;
  /** Tokens after which it was cut: it had not come to its end. Unknown in records of older versions. */
  cutAfter?: number;
}

/** An error that ends nothing: told of in an event. */
export interface ToldError {
  code: string;
  message: string;
  details: Readonly<Record<string, string | number>>;
}

/** What a run will take, told before it starts. */
export interface TrainingPrediction {
  /** Bytes of GPU memory by part, for the largest batch. */
  memory: {
    /** Of the open model. */
    weights: number;
    /** The parameters that are trained. */
    adapter: number;
    /** Their gradients and both moments. */
    optimizer: number;
    /** What forward keeps for backward. */
    activations: number;
    inputs: number;
    total: number;
  };
  /** Where one buffer would be larger than the GPU allows: the run would not start. */
  exceeds?: {
    message: string;
    /** The smallest change that would fit, as `name=value, name=value`; undefined where none does. */
    suggestion?: string;
  };
  /** Where a run with no more memory ran out of it on this device, and no larger one has worked since. */
  shortage?: {
    /** That the other run asked for. */
    failedBytes: number;
    /** The smallest change that would probably fit, as in `exceeds`, and the total with it. */
    suggestion?: string;
    suggestedBytes?: number;
  };
  totalSteps: number;
  /** Bytes on the device for checkpoints. */
  storage: {
    /** Of those that `save_total_limit` lets the run keep. */
    kept: number;
    /** While one is being saved: a new one is complete before an old one goes. */
    peak: number;
    /** The same where the run was also saved between them, as after a pause. */
    peakWithResumePoint: number;
    /** What each checkpoint that is kept adds to both peaks. */
    perCheckpoint: number;
    /** Checkpoints, no bytes: how many are there while one more is saved, and the fewest that a limit makes of them. */
    keptBefore: number;
    keptBeforeAtLeast: number;
  };
  /** Of the data: a text that is split is one. */
  trainRows: number;
  /** Rows whose answer is cut by `max_length`. */
  cutRows: number;
  splitTexts: SplitTexts;
  /** Tokens, after the cut. */
  longestRow: number;
}

/** Measured on this very GPU. */
export interface TimePrediction {
  secondsPerStep: number;
  /** Of one evaluation in the run; 0 where it has none. */
  secondsPerEvaluation: number;
  /** Of all steps and evaluations; sample answers come on top. */
  totalSeconds: number;
  /** There is so much work between two checkpoints that the run is saved there too. */
  savedBetween: boolean;
}

/** One run with `fp16` and without it, both measured on this very GPU; `totalSeconds` of each. */
export interface Fp16Comparison {
  withSeconds: number;
  withoutSeconds: number;
}

export type RunStatus = 'running' | 'paused' | 'finished' | 'stopped' | 'interrupted' | 'failed';

export interface LogEntry {
  step: number;
  epoch: number;
  loss: number;
  grad_norm: number;
  learning_rate: number;
  /** Undefined in records of older versions. */
  tokens_per_second?: number;
}

/** Of an evaluation in the run, by the Trainer's and TRL's own names. */
export interface EvalLogEntry {
  step: number;
  epoch: number;
  eval_loss: number;
  /** Undefined in records of older versions. */
  eval_mean_token_accuracy?: number;
}

/** A moment of a run that is kept: its adapter can be talked to, evaluated and taken away. */
export interface CheckpointSummary {
  step: number;
  adapterId: string;
  /** Of all its files. */
  sizeBytes: number;
  /** The part of them that the run needs to go on from here; 0 where that is not kept. */
  resumeBytes: number;
  savedAt: number;
}

/** A device that a run was computed on. */
export type RunDevice = Pick<
  DeviceReport,
  'backend' | 'adapterName' | 'isSoftwareAdapter' | 'f16' | 'subgroups' | 'maxBufferBytes'
>;

/**
 * What a run was made of, written down when it began: models and data are deleted, and another GPU answers
 * tomorrow.
 */
export interface RunProvenance {
  /** The one it began on, then others that it went on with, each once. */
  devices: readonly RunDevice[];
  model: Pick<
    ModelSummary,
    'name' | 'architecture' | 'parameterCount' | 'licence' | 'revision' | 'weightsHash'
  >;
  dataset: RunDataset;
  /** Where a data set of its own is held back. */
  evalDataset?: RunDataset;
}

export type RunDataset = Pick<DatasetSummary, 'name' | 'schema' | 'rowCount' | 'hash'>;

/** A training run and the adapters that it has made so far. */
export interface RunSummary {
  id: string;
  name: string;
  modelId: string;
  datasetId: string;
  /** Which rows were held back, so that a resumed run learns from the same ones. */
  evalShare: number;
  evalDatasetId?: string;
  leaveOut?: readonly LeaveOut[];
  /** The adapter that it started from, which may be deleted by now; undefined for a new one. */
  startedFrom?: AdapterOrigin;
  status: RunStatus;
  createdAt: number;
  step: number;
  totalSteps: number;
  trainableParams: number;
  allParams: number;
  peft: PeftConfig;
  training: TrainingArguments;
  log: readonly (LogEntry | EvalLogEntry)[];
  samples: readonly SampleAnswer[];
  /** As in its request, with what was left out there filled in; undefined in records of older versions. */
  samplePrompts?: readonly string[];
  sampleEvery?: number;
  max_new_tokens?: number;
  /** Of work: without pauses, and without the hours in which the machine slept. */
  elapsedMs: number;
  /**
   * Tokens that were learned from in this time, those of steps included that were lost and taken again.
   * Undefined where an older version did not count them.
   */
  tokenCount?: number;
  /** The most GPU memory that it was seen to hold, of its buffers and the model's. */
  peakGpuBytes?: number;
  /** Undefined in records of older versions, and of what they began. */
  provenance?: RunProvenance;
  /** Oldest first. */
  checkpoints: readonly CheckpointSummary[];
  /** With `load_best_model_at_end`: step of the best checkpoint so far, which the run ends with. */
  bestStep?: number;
  /** That of the newest checkpoint, or of the best; undefined before the first. */
  adapterId?: string;
  error?: { code: string; message: string };
}

export interface AdapterOrigin {
  adapterId: string;
  name: string;
  step?: number;
}

export interface AdapterSummary {
  id: string;
  name: string;
  modelId: string;
  origin: 'trained' | 'imported';
  /** As its files have it: what PiSSA and OLoRA taught is a plain LoRA. */
  peft: PeftConfig;
  /**
   * Its base was in 4 bits while it learned, which PEFT's files do not tell. Undefined where nobody here knows: it was
   * imported, or an older version let it outlive its run.
   */
  load_in_4bit?: boolean;
  sizeBytes: number;
  createdAt: number;
  /** The run that made it, which may be deleted by now. */
  runId?: string;
  /** Step of the run at which it was saved. */
  step?: number;
}

// --- talking and measuring --------------------------------------------------------------------

export interface ChatMessage {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

export interface GenerationOptions {
  max_new_tokens: number;
  /** 0 = greedy. */
  temperature: number;
  top_p: number;
  top_k: number;
  repetition_penalty: number;
  seed: number;
}

export interface ChatRequest {
  modelId: string;
  /** Undefined = the base model. */
  adapterId?: string;
  messages: readonly ChatMessage[];
  generation: GenerationOptions;
}

/**
 * Who talks with a fully tuned model. There is memory for one at a time, so that whoever wants another waits until
 * this is over.
 */
export type WaitsFor =
  | { kind: 'chat' | 'evaluation'; adapterId: string; adapterName: string }
  /** The questions that a run asks on the way. */
  | { kind: 'sample' };

export interface ChatProgress {
  /** Text since the last update; never half a character. */
  text: string;
  /** Nothing comes before this is over; undefined once it is. */
  waitsFor?: WaitsFor;
}

export interface ChatResult {
  text: string;
  promptTokens: number;
  newTokens: number;
  firstTokenMs: number;
  tokensPerSecond: number;
  stoppedBy: 'end' | 'length' | 'signal';
}

/** What is asked: a data set, or the rows that a run held back, whichever data set they are of. */
export type QuestionChoice = {
  /** At most so many rows, from the front; 0 = all. */
  maxRows: number;
} & ({ datasetId: string; heldBackOf?: undefined } | { datasetId?: undefined; heldBackOf: string });

export type EvaluateRequest = QuestionChoice & {
  modelId: string;
  adapterIds: readonly (string | undefined)[];
  max_new_tokens: number;
};

export interface QuestionsInspection {
  /** Rows that would be asked. */
  count: number;
  /** For each of `adapterIds`, as `EvaluationScore.learnedRows`. */
  learnedRows: readonly (number | undefined)[];
}

export interface EvaluationRow {
  instruction: string;
  input: string;
  reference: string;
  /** One for each of `adapterIds`. */
  answers: readonly string[];
}

export interface EvaluationScore {
  adapterId?: string;
  /** What the adapter was called then, and the step of its run; it may be deleted by now. */
  adapterName?: string;
  adapterStep?: number;
  accuracy: number;
  rougeL: number;
  tokensPerSecond: number;
  gpuBytes: number;
  count: number;
  /**
   * How many of the rows ask what the adapter's run, or one that it went on from, learns from: on those the
   * score tells what it remembers. Undefined where that was not known.
   */
  learnedRows?: number;
}

export interface EvaluationReport {
  id: string;
  createdAt: number;
  modelId: string;
  /** Where the rows are from. */
  datasetId: string;
  /** The run that held these rows back, as it was called then; undefined for rows from the front of the data. */
  heldBackOf?: { runId: string; name: string };
  scores: readonly EvaluationScore[];
  rows: readonly EvaluationRow[];
}

export interface CountProgress {
  done: number;
  total: number;
  /** Of an evaluation, as in ChatProgress. */
  waitsFor?: WaitsFor;
}

// --- taking away ------------------------------------------------------------------------------

export type ExportFormat = 'peft' | 'safetensors' | 'onnx';

export interface ExportRequest {
  modelId: string;
  /** Undefined = the base model as it is; needed for `peft`. */
  adapterId?: string;
  format: ExportFormat;
}

export interface ExportedFile {
  fileName: string;
  /** A zip file backed by the device's storage, ready to be saved. */
  file: File;
}

// --- everything in one file --------------------------------------------------------------------

export type ArchiveKind = 'models' | 'datasets' | 'runs' | 'adapters' | 'evaluations';
export type ArchiveCounts = Readonly<Record<ArchiveKind, number>>;

/** What the page keeps for itself, by the keys of its own store; the engine does not look into it. */
export type PageKeepings = Readonly<Record<string, unknown>>;

export interface ArchiveProgress {
  /** `read`: the list and the records; `compare`: with what is here already; `copy`: bytes in or out. */
  stage: 'read' | 'compare' | 'copy';
  doneBytes: number;
  totalBytes: number;
}

export interface EverythingExported extends ExportedFile {
  counts: ArchiveCounts;
  /** What is no longer whole on this device, or cannot be read, and why. */
  leftOut: readonly { name: string; code: string; message: string }[];
}

export interface EverythingImported {
  added: ArchiveCounts;
  /** Were here already, byte for byte. */
  present: ArchiveCounts;
  /** Of those added: how many came as a copy, because something else has their id. */
  copies: number;
  /** Old id -> new id of the copies. */
  newIds: Readonly<Record<string, string>>;
  page: PageKeepings;
}

/** Settings that suit a bundled sample, to be laid over the common recipe. */
export interface RecommendedRecipe {
  lora: Partial<LoraConfig>;
  training: Partial<TrainingArguments>;
}

export interface EngineApi {
  describeDevice: ApiMethod<void, DeviceReport>;
  /**
   * Bytes that `freeStorage` would free: older checkpoints, what finished runs would need to go on,
   * exports already taken, and what crashes left behind.
   */
  measureFreeable: ApiMethod<void, number>;
  /** Returns the bytes freed. Models and data stay, and of every run its newest checkpoint, its best and where it goes on. */
  freeStorage: ApiMethod<void, number>;
  /** Removes every file and row that Inkstone keeps on this device. */
  deleteEverything: ApiMethod<void, void>;

  listModels: ApiMethod<void, ModelSummary[]>;
  openModel: ApiMethod<{ modelId: string }, OpenModel, LoadProgress>;
  closeModel: ApiMethod<void, void>;
  importModel: ApiMethod<{ files: readonly File[]; name: string }, ModelSummary, LoadProgress>;
  deleteModel: ApiMethod<{ modelId: string }, void>;

  listDatasets: ApiMethod<void, DatasetSummary[]>;
  importDataset: ApiMethod<
    { file: File; mapping?: Readonly<Record<string, string>> },
    DatasetReport
  >;
  readRows: ApiMethod<{ datasetId: string; start: number; count: number }, DatasetRowView[]>;
  previewRow: ApiMethod<
    {
      modelId: string;
      datasetId: string;
      index: number;
      maxLength: number;
      trainOnPrompt: boolean;
      splitLongText?: boolean;
    },
    RowPreview
  >;
  /** Opens the model for its tokenizer. What is known already is not measured again. */
  inspectData: ApiMethod<InspectRequest, DataInspection, CountProgress>;
  deleteDataset: ApiMethod<{ datasetId: string }, void>;

  /** Undefined where there is none for this data set. */
  recommendRecipe: ApiMethod<{ modelId: string; datasetId: string }, RecommendedRecipe | undefined>;
  /** What PEFT's `print_trainable_parameters` would say. */
  countParameters: ApiMethod<
    { modelId: string; peft: PeftConfig },
    { trainableParams: number; allParams: number }
  >;

  /** Opens the model, reads the rows, and allocates nothing for the run. */
  predictTraining: ApiMethod<TrainSettings, TrainingPrediction>;
  /**
   * Takes a few steps on a few of the model's layers, which also compiles what the run will need. Undefined
   * where that cannot be done now: a run is going on, or even these steps do not fit.
   */
  predictTime: ApiMethod<TrainSettings, TimePrediction | undefined>;
  /**
   * After `predictTime`: the same with `fp16` the other way, measured on a graphics card that computes in 16 bits.
   * Undefined where either is not known: on the processor nothing is measured for it, nor where `predictTime`
   * has measured nothing.
   */
  compareFp16: ApiMethod<TrainSettings, Fp16Comparison | undefined>;
  /**
   * Opens the model and compiles what a run of these settings needs, whatever its data: the run's start then
   * waits for none of it. Nothing while a run is going on.
   */
  compileAhead: ApiMethod<KernelSettings, void>;
  /**
   * An error `limit` or `out-of-memory` carries in `details.suggestion` the smallest change that would
   * fit, as TrainingPrediction has it; after `out-of-memory` it is a guess from what was asked for,
   * `details.neededBytes`.
   */
  train: ApiMethod<TrainRequest, RunSummary, TrainEvent>;
  pauseTraining: ApiMethod<void, void>;
  /** Saves the running training where it is, after the step under way; nothing where there is none. */
  saveTraining: ApiMethod<void, void>;
  resumeTraining: ApiMethod<void, void>;
  /**
   * Ends the running training after the current step; `keep` writes a checkpoint first. Before the first step
   * nothing of a new run is left, and `train` may reject with an AbortError.
   */
  stopTraining: ApiMethod<{ keep: boolean }, void>;
  listRuns: ApiMethod<void, RunSummary[]>;
  /** With its checkpoints; `keepAdapter` lets the newest adapter outlive it. */
  deleteRun: ApiMethod<{ runId: string; keepAdapter?: boolean }, void>;
  renameRun: ApiMethod<{ runId: string; name: string }, void>;
  /** `trainer_state.json` of a run's newest checkpoint; of one that ended there, with the Trainer's last entry. */
  readTrainerState: ApiMethod<{ runId: string }, string>;

  /** Newest first; of a run one for each of its checkpoints. `adapter-X` stands for the newest of `run-X`. */
  listAdapters: ApiMethod<void, AdapterSummary[]>;
  importAdapter: ApiMethod<
    { files: readonly File[]; modelId: string; name: string },
    AdapterSummary
  >;
  /** Of a run's adapter the checkpoint is deleted, from which the run may have gone on. */
  deleteAdapter: ApiMethod<{ adapterId: string }, void>;

  chat: ApiMethod<ChatRequest, ChatResult, ChatProgress>;
  /** Which of the rows have been learned from, told before they are asked; no model is opened. */
  inspectQuestions: ApiMethod<
    QuestionChoice & { adapterIds: readonly (string | undefined)[] },
    QuestionsInspection
  >;
  evaluate: ApiMethod<EvaluateRequest, EvaluationReport, CountProgress>;
  listEvaluations: ApiMethod<void, EvaluationReport[]>;
  deleteEvaluation: ApiMethod<{ evaluationId: string }, void>;

  /** Merges the adapter into a copy of the base and keeps it as a model of its own. */
  merge: ApiMethod<
    { modelId: string; adapterId: string; name: string },
    ModelSummary,
    CountProgress
  >;
  exportModel: ApiMethod<ExportRequest, ExportedFile, CountProgress>;

  /**
   * Writes everything that the person made into one zip. Refused while a run is going on.
   * @param page goes into the file as it is
   */
  exportEverything: ApiMethod<{ page: PageKeepings }, EverythingExported, ArchiveProgress>;
  /** Adds what the file has and this device lacks; overwrites nothing, and does all of it or nothing. */
  importEverything: ApiMethod<{ file: File }, EverythingImported, ArchiveProgress>;
}
