/**
 * Records of an archive, hostile until checked: each is read field by field into what the tables hold, so
 * that nothing comes in that this version would not have written itself.
 */
import {
  isJsonObject,
  readPeftConfig,
  readTrainingArguments,
  SAMPLE_TOKENS,
  SUPPORTED_ARCHITECTURES,
} from '../config';
import { Fields } from '../config/fields';
import type {
  AdapterSummary,
  ArchiveKind,
  DatasetSummary,
  EvaluationReport,
  EvaluationScore,
  LeaveOut,
  ModelSummary,
  RunDataset,
  RunDevice,
  RunProvenance,
  RunStatus,
} from '../rpc/engine-api';
import { runPointOf } from './adapter-id';
import { isIdOf } from './archive-layout';
import type { RunRecord } from './run-library';

/** What the tables hold of each kind. */
export interface RecordOf {
  models: ModelSummary & { schemaVersion: 1 };
  datasets: DatasetSummary & { schemaVersion: 1 };
  runs: RunRecord;
  adapters: AdapterSummary & { schemaVersion: 1 };
  evaluations: EvaluationReport & { schemaVersion: 1 };
}
export type AnyRecord = RecordOf[ArchiveKind];

/** A page shows names in one line, and ids are made by the engine. */
const MAX_NAME_CHARS = 1000;
const COUNT = { min: 0, max: Number.MAX_SAFE_INTEGER };

/** A run goes on with another GPU a few times, not a thousand. */
const MAX_DEVICES = 1000;

const BACKENDS = ['webgpu', 'wasm'] as const;
const SCHEMAS = [
  ...(['alpaca', 'prompt-completion', 'messages', 'sharegpt', 'text', 'tokenised'] as const),
  'unknown' as const,
];
const LEAVE_OUT: readonly LeaveOut[] = ['duplicates', 'empty', 'cut', 'leaked'];
const STATUSES: readonly RunStatus[] = [
  ...(['running', 'paused', 'finished', 'stopped', 'interrupted', 'failed'] as const),
];

/** @throws ConfigError naming the field; its file name says which record */
export function readRecord<Kind extends ArchiveKind>(
  kind: Kind,
  id: string,
  fields: Fields,
): RecordOf[Kind] {
  if (fields.text('id', undefined) !== id) throw fields.wrong('id', fields.object.id, id);
  fields.integer('schemaVersion', undefined, { min: 1, max: 1 });
  return READERS[kind](fields, id) as RecordOf[Kind];
}

const READERS: { readonly [Kind in ArchiveKind]: (fields: Fields, id: string) => RecordOf[Kind] } =
  {
    models: (fields, id) => ({
      id,
      name: name(fields, 'name'),
      origin: fields.oneOf('origin', ['imported', 'merged'] as const, undefined),
      present: true,
      architecture: fields.oneOf('architecture', SUPPORTED_ARCHITECTURES, undefined),
      parameterCount: fields.integer('parameterCount', undefined, COUNT),
      sizeBytes: fields.integer('sizeBytes', undefined, COUNT),
      licence: name(fields, 'licence'),
      languages: texts(fields, 'languages'),
      ...(fields.has('revision') && { revision: name(fields, 'revision') }),
      ...(fields.has('weightsHash') && { weightsHash: name(fields, 'weightsHash') }),
      schemaVersion: 1,
    }),
    datasets: (fields, id) => ({
      id,
      name: name(fields, 'name'),
      schema: fields.oneOf('schema', SCHEMAS, undefined),
      rowCount: fields.integer('rowCount', undefined, COUNT),
      hash: fields.text('hash', undefined),
      createdAt: fields.number('createdAt', undefined, COUNT),
      origin: fields.oneOf('origin', ['imported'] as const, undefined),
      schemaVersion: 1,
    }),
    runs: readRun,
    adapters: readAdapterRecord,
    evaluations: readEvaluation,
  };

function readRun(fields: Fields, id: string): RunRecord {
  const status = fields.oneOf('status', STATUSES, undefined);
  const error = fields.nested('error');
  const savedAt = fields.nested('savedAt');
  const origin = fields.nested('startedFrom');
  const provenance = fields.nested('provenance');
  return {
    id,
    name: name(fields, 'name'),
    modelId: name(fields, 'modelId'),
    datasetId: name(fields, 'datasetId'),
    evalShare: fields.number('evalShare', 0, { min: 0, max: 0.99 }),
    ...(fields.has('evalDatasetId') && { evalDatasetId: name(fields, 'evalDatasetId') }),
    ...(fields.has('leaveOut') && { leaveOut: readLeaveOut(fields) }),
    ...(origin && {
      startedFrom: {
        adapterId: name(origin, 'adapterId'),
        name: name(origin, 'name'),
        ...(origin.has('step') && { step: origin.integer('step', undefined, COUNT) }),
      },
    }),
    // Nobody is going on with it: it was not running when it was written, or the tab had been killed.
    status: status === 'running' || status === 'paused' ? 'interrupted' : status,
    createdAt: fields.number('createdAt', undefined, COUNT),
    step: fields.integer('step', undefined, COUNT),
    totalSteps: fields.integer('totalSteps', undefined, COUNT),
    trainableParams: fields.integer('trainableParams', undefined, COUNT),
    allParams: fields.integer('allParams', undefined, COUNT),
    peft: readPeftConfig(nested(fields, 'peft').object, `${fields.fileName} (peft)`),
    training: readTrainingArguments(
      nested(fields, 'training').object,
      `${fields.fileName} (training)`,
    ),
    log: objects(fields, 'log').map(readLogEntry),
    samples: objects(fields, 'samples').map((sample) => ({
      step: sample.integer('step', undefined, COUNT),
      prompt: sample.text('prompt', undefined),
      text: sample.text('text', undefined),
      ...(sample.has('cutAfter') && { cutAfter: sample.integer('cutAfter', undefined, COUNT) }),
    })),
    ...(fields.has('samplePrompts') && { samplePrompts: texts(fields, 'samplePrompts') }),
    ...(fields.has('sampleEvery') && {
      sampleEvery: fields.integer('sampleEvery', undefined, COUNT),
    }),
    ...(fields.has('max_new_tokens') && {
      max_new_tokens: fields.integer('max_new_tokens', undefined, SAMPLE_TOKENS),
    }),
    elapsedMs: fields.number('elapsedMs', undefined, COUNT),
    ...(fields.has('tokenCount') && { tokenCount: fields.integer('tokenCount', undefined, COUNT) }),
    ...(fields.has('peakGpuBytes') && {
      peakGpuBytes: fields.integer('peakGpuBytes', undefined, COUNT),
    }),
    ...(provenance && { provenance: readProvenance(provenance) }),
    ...(fields.has('bestStep') && { bestStep: fields.integer('bestStep', undefined, COUNT) }),
    ...(error && {
      error: { code: name(error, 'code'), message: error.text('message', undefined) },
    }),
    ...(savedAt && {
      savedAt: Object.fromEntries(
        Object.keys(savedAt.object)
          .filter((step) => /^\d{1,10}$/.test(step))
          .map((step) => [step, savedAt.number(step, undefined, COUNT)]),
      ),
    }),
    schemaVersion: 1,
  };
}

function readProvenance(fields: Fields): RunProvenance {
  const devices = objects(fields, 'devices');
  if (devices.length === 0 || devices.length > MAX_DEVICES)
    throw fields.wrong('devices', devices.length, `a list of 1 to ${MAX_DEVICES}`);
  const model = nested(fields, 'model');
  const evalDataset = fields.nested('evalDataset');
  return {
    devices: devices.map(readDevice),
    model: {
      name: name(model, 'name'),
      architecture: model.oneOf('architecture', SUPPORTED_ARCHITECTURES, undefined),
      parameterCount: model.integer('parameterCount', undefined, COUNT),
      licence: name(model, 'licence'),
      ...(model.has('revision') && { revision: name(model, 'revision') }),
      ...(model.has('weightsHash') && { weightsHash: name(model, 'weightsHash') }),
    },
    dataset: readRunDataset(nested(fields, 'dataset')),
    ...(evalDataset && { evalDataset: readRunDataset(evalDataset) }),
  };
}

const readDevice = (fields: Fields): RunDevice => ({
  backend: fields.oneOf('backend', BACKENDS, undefined),
  adapterName: name(fields, 'adapterName'),
  isSoftwareAdapter: flag(fields, 'isSoftwareAdapter'),
  f16: flag(fields, 'f16'),
  subgroups: flag(fields, 'subgroups'),
  // A driver's own word, which may be beyond what counts exactly.
  maxBufferBytes: fields.number('maxBufferBytes', undefined, { min: 0 }),
});

const readRunDataset = (fields: Fields): RunDataset => ({
  name: name(fields, 'name'),
  schema: fields.oneOf('schema', SCHEMAS, undefined),
  rowCount: fields.integer('rowCount', undefined, COUNT),
  hash: name(fields, 'hash'),
});

const readLeaveOut = (fields: Fields): LeaveOut[] =>
  list(fields, 'leaveOut').map((value, i) => {
    const known = LEAVE_OUT.find((one) => one === value);
    if (!known) throw fields.wrong(`leaveOut[${i}]`, value, `one of ${LEAVE_OUT.join(', ')}`);
    return known;
  });

function readLogEntry(entry: Fields): RunRecord['log'][number] {
  const step = entry.integer('step', undefined, COUNT);
  const epoch = entry.number('epoch', undefined, { min: 0 });
  return entry.object.eval_loss !== undefined
    ? {
        step,
        epoch,
        eval_loss: figure(entry, 'eval_loss'),
        ...(entry.has('eval_mean_token_accuracy') && {
          eval_mean_token_accuracy: entry.number('eval_mean_token_accuracy', undefined, {
            min: 0,
            max: 1,
          }),
        }),
      }
    : {
        step,
        epoch,
        loss: figure(entry, 'loss'),
        grad_norm: figure(entry, 'grad_norm'),
        learning_rate: figure(entry, 'learning_rate'),
        ...(entry.has('tokens_per_second') && {
          tokens_per_second: entry.number('tokens_per_second', undefined, COUNT),
        }),
      };
}

function readAdapterRecord(fields: Fields, id: string): RecordOf['adapters'] {
  // Without a step it is a copy that an older version made: it stands for itself.
  const point =
    fields.has('runId') && fields.has('step')
      ? { runId: fields.text('runId', undefined), step: fields.integer('step', undefined, COUNT) }
      : undefined;
  const named = runPointOf(id);
  if (point && !isIdOf('runs', point.runId))
    throw fields.wrong('runId', point.runId, 'the id of a run');
  if (point && (point.runId !== named.runId || point.step !== named.step))
    throw fields.wrong('runId', point.runId, `the run that ${id} names`);
  if (!point && named.step !== undefined) throw fields.wrong('id', id, 'no step without a run');
  return {
    id,
    name: name(fields, 'name'),
    modelId: name(fields, 'modelId'),
    origin: fields.oneOf('origin', ['trained', 'imported'] as const, undefined),
    peft: readPeftConfig(nested(fields, 'peft').object, `${fields.fileName} (peft)`),
    ...(fields.has('load_in_4bit') && {
      load_in_4bit: fields.boolean('load_in_4bit', false),
    }),
    sizeBytes: fields.integer('sizeBytes', undefined, COUNT),
    createdAt: fields.number('createdAt', undefined, COUNT),
    ...point,
    schemaVersion: 1,
  };
}

function readEvaluation(fields: Fields, id: string): RecordOf['evaluations'] {
  const heldBack = fields.nested('heldBackOf');
  return {
    id,
    createdAt: fields.number('createdAt', undefined, COUNT),
    modelId: name(fields, 'modelId'),
    datasetId: name(fields, 'datasetId'),
    ...(heldBack && {
      heldBackOf: { runId: name(heldBack, 'runId'), name: name(heldBack, 'name') },
    }),
    scores: objects(fields, 'scores').map(readScore),
    rows: objects(fields, 'rows').map((row) => ({
      instruction: row.text('instruction', undefined),
      input: row.text('input', undefined),
      reference: row.text('reference', undefined),
      answers: list(row, 'answers').map((answer, i) => {
        if (typeof answer !== 'string') throw row.wrong(`answers[${i}]`, answer, 'a text');
        return answer;
      }),
    })),
    schemaVersion: 1,
  };
}

function readScore(score: Fields): EvaluationScore {
  return {
    ...(score.has('adapterId') && { adapterId: name(score, 'adapterId') }),
    ...(score.has('adapterName') && { adapterName: name(score, 'adapterName') }),
    ...(score.has('adapterStep') && {
      adapterStep: score.integer('adapterStep', undefined, COUNT),
    }),
    accuracy: figure(score, 'accuracy'),
    rougeL: figure(score, 'rougeL'),
    tokensPerSecond: figure(score, 'tokensPerSecond'),
    gpuBytes: figure(score, 'gpuBytes'),
    count: score.integer('count', undefined, COUNT),
    ...(score.has('learnedRows') && {
      learnedRows: score.integer('learnedRows', undefined, COUNT),
    }),
  };
}

function name(fields: Fields, field: string): string {
  const text = fields.text(field, undefined);
  if (text.length > MAX_NAME_CHARS)
    throw fields.wrong(field, text, `at most ${MAX_NAME_CHARS} characters`);
  return text;
}

/** JSON has no NaN: it was written as null. */
const figure = (fields: Fields, field: string): number =>
  fields.object[field] === null ? NaN : fields.number(field, undefined);

function flag(fields: Fields, field: string): boolean {
  const value = fields.object[field];
  if (typeof value !== 'boolean') throw fields.wrong(field, value, 'true or false');
  return value;
}

function nested(fields: Fields, field: string): Fields {
  const found = fields.nested(field);
  if (!found) throw fields.wrong(field, fields.object[field], 'an object');
  return found;
}

function list(fields: Fields, field: string): readonly unknown[] {
  const value = fields.object[field];
  if (!Array.isArray(value)) throw fields.wrong(field, value, 'a list');
  return value;
}

const texts = (fields: Fields, field: string): string[] =>
  list(fields, field).map((value, i) => {
    if (typeof value !== 'string') throw fields.wrong(`${field}[${i}]`, value, 'a text');
    return value;
  });

const objects = (fields: Fields, field: string): Fields[] =>
  list(fields, field).map((value, i) => {
    if (!isJsonObject(value)) throw fields.wrong(`${field}[${i}]`, value, 'an object');
    return new Fields(value, `${fields.fileName}, ${field}[${i}]`);
  });
