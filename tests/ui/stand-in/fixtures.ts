/** What the stand-in has in store. */
import { COMMON_RECIPE } from '../../../src/lib/config';
import type {
  AdapterSummary,
  CheckpointSummary,
  DatasetRowView,
  DatasetSummary,
  EvalLogEntry,
  EvaluationReport,
  ModelSummary,
  RunProvenance,
  RunSummary,
} from '../../../src/lib/rpc/engine-api';

const MB = 1024 ** 2;
const DAY = 86_400_000;
const NOW = Date.UTC(2026, 10, 24, 6, 30);

export const MODELS: ModelSummary[] = [
  {
    id: 'nano-lm',
    name: 'nano-lm',
    origin: 'bundled',
    present: true,
    architecture: 'LlamaForCausalLM',
    parameterCount: 3_245_568,
    sizeBytes: 7.1 * MB,
    licence: 'Apache-2.0',
    languages: ['zh', 'en'],
    weightsHash: 'b'.repeat(64),
  },
  {
    id: 'HuggingFaceTB/SmolLM2-135M-Instruct',
    name: 'SmolLM2 135M Instruct',
    origin: 'catalogue',
    present: false,
    architecture: 'LlamaForCausalLM',
    parameterCount: 134_515_008,
    sizeBytes: 269 * MB,
    licence: 'Apache-2.0',
    languages: ['en'],
  },
  {
    id: 'Qwen/Qwen2.5-0.5B-Instruct',
    name: 'Qwen2.5 0.5B Instruct',
    origin: 'catalogue',
    present: false,
    architecture: 'Qwen2ForCausalLM',
    parameterCount: 494_032_768,
    sizeBytes: 988 * MB,
    licence: 'Apache-2.0',
    languages: ['zh', 'en', 'fr', 'es'],
  },
  {
    id: 'merged-clinic',
    name: 'nano-lm + 门诊问答',
    origin: 'merged',
    present: true,
    architecture: 'LlamaForCausalLM',
    parameterCount: 3_245_568,
    sizeBytes: 13 * MB,
    licence: 'Apache-2.0',
    languages: ['zh', 'en'],
  },
];

const dataset = (
  id: string,
  name: string,
  rowCount: number,
  origin: 'bundled' | 'imported' = 'bundled',
): DatasetSummary => ({
  id,
  name,
  schema: 'alpaca',
  rowCount,
  hash: 'a'.repeat(64),
  createdAt: NOW - 3 * DAY,
  origin,
});

export const DATASETS: DatasetSummary[] = [
  dataset('medical-zh', 'medical-zh', 120),
  dataset('medical-zh-eval', 'medical-zh-eval', 60),
  dataset('medical-en', 'medical-en', 120),
  dataset('medical-en-eval', 'medical-en-eval', 60),
  dataset('clinic', '门诊问答.jsonl', 42, 'imported'),
];

const ZH: DatasetRowView[] = [
  {
    instruction: '感冒发烧应该怎么办？',
    input: '',
    output: '多休息，多喝温水，体温超过 38.5 度时服用退烧药。',
  },
  {
    instruction: '高血压病人饮食要注意什么？',
    input: '',
    output: '少盐少油，每天食盐不超过 5 克，多吃蔬菜和水果。',
  },
  {
    instruction: '布洛芬可以空腹吃吗？',
    input: '',
    output: '不建议空腹服用，饭后吃可以减少对胃的刺激。',
  },
  { instruction: '判断应挂哪个科。', input: '膝盖疼，上下楼梯时加重。', output: '骨科' },
  { instruction: '糖尿病早期有哪些表现？', input: '', output: '多饮、多尿、多食和体重下降。' },
];
const EN: DatasetRowView[] = [
  {
    instruction: 'What should I do for a cold with fever?',
    input: '',
    output: 'Rest, drink warm water, and take a fever medicine above 38.5 °C.',
  },
  {
    instruction: 'What should people with high blood pressure eat?',
    input: '',
    output: 'Little salt and fat, under 5 g of salt a day, and plenty of vegetables and fruit.',
  },
  {
    instruction: 'May ibuprofen be taken on an empty stomach?',
    input: '',
    output: 'Better not; taken after a meal it irritates the stomach less.',
  },
  {
    instruction: 'Which department should I go to?',
    input: 'My knee hurts, more so on stairs.',
    output: 'Orthopaedics',
  },
  {
    instruction: 'What are early signs of diabetes?',
    input: '',
    output: 'Thirst, frequent urination, hunger and loss of weight.',
  },
];

/** Prose, the first row of it too long to be seen at once. */
const PROSE: DatasetRowView[] = ZH.map(({ output }, i) => ({
  ...{ instruction: '', input: '', output: output.repeat(i === 0 ? 60 : 1) },
}));

export const rowsOf = (datasetId: string): DatasetRowView[] =>
  datasetId.endsWith('.txt') ? PROSE : datasetId.includes('-en') ? EN : ZH;

const steps = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120];

export const lossAt = (step: number): number =>
  0.18 + 3.4 * Math.exp(-step / 28) + 0.09 * Math.sin(step * 1.7) * Math.exp(-step / 90);

/** In the middle of a run the accuracy is better than at its end. */
export const evaluatedAt = (step: number): Required<EvalLogEntry> => ({
  step,
  epoch: step / 40,
  eval_loss: lossAt(step) + 0.08,
  eval_mean_token_accuracy: 0.9 - ((step - 80) / 160) ** 2,
});

/** Every fortieth step of 120, as `save_strategy: epoch` makes them; `adapter-1-step-40` of `run-1`. */
export const checkpointsAt = (runId: string, step: number): CheckpointSummary[] =>
  [40, 80, 120]
    .filter((at) => at <= step)
    .map((at, index, all) => {
      const resumeBytes = index === all.length - 1 ? 788_000 : 0;
      return {
        step: at,
        adapterId: `${runId.replace('run-', 'adapter-')}-step-${at}`,
        sizeBytes: 398_000 + resumeBytes,
        resumeBytes,
        savedAt: NOW - DAY + at * 900,
      };
    });

export const adaptersOf = (run: RunSummary): AdapterSummary[] =>
  run.checkpoints
    .map((checkpoint) => ({
      id: checkpoint.adapterId,
      name: run.name,
      modelId: run.modelId,
      origin: 'trained' as const,
      peft: run.peft,
      load_in_4bit: run.training.load_in_4bit,
      sizeBytes: 398_000,
      createdAt: checkpoint.savedAt,
      runId: run.id,
      step: checkpoint.step,
    }))
    .reverse();

export const provenanceOf = ({
  datasetId,
  evalDatasetId,
}: Pick<RunSummary, 'datasetId' | 'evalDatasetId'>): RunProvenance => ({
  devices: [
    {
      ...{ backend: 'webgpu', adapterName: 'Apple M2', isSoftwareAdapter: false, f16: true },
      ...{ subgroups: true, maxBufferBytes: 4 * 1024 ** 3 },
    },
  ],
  model: modelFacts(MODELS[0]),
  dataset: datasetFacts(datasetId),
  evalDataset: evalDatasetId === undefined ? undefined : datasetFacts(evalDatasetId),
});

function modelFacts({ name, architecture, parameterCount, licence, weightsHash }: ModelSummary) {
  return { name, architecture, parameterCount, licence, weightsHash };
}

function datasetFacts(datasetId: string) {
  const { name, schema, rowCount, hash } =
    DATASETS.find(({ id }) => id === datasetId) ?? DATASETS[4];
  return { name, schema, rowCount, hash };
}

const run = (id: string, name: string, status: RunSummary['status'], step: number): RunSummary => ({
  id,
  name,
  modelId: 'nano-lm',
  datasetId: 'medical-zh',
  evalShare: 0,
  evalDatasetId: 'medical-zh-eval',
  status,
  createdAt: NOW - DAY,
  step,
  totalSteps: 120,
  trainableParams: 98_304,
  allParams: 3_245_568,
  peft: COMMON_RECIPE.lora,
  training: COMMON_RECIPE.training,
  log: steps
    .filter((at) => at <= step)
    .flatMap((at) => [
      {
        step: at,
        epoch: at / 40,
        loss: lossAt(at),
        grad_norm: 1.4 * Math.exp(-at / 60),
        learning_rate: 2e-4 * (1 - at / 120),
        tokens_per_second: 1480 + 40 * Math.sin(at),
      },
      ...(at % 40 === 0 ? [evaluatedAt(at)] : []),
    ]),
  samples: [
    { step: 0, prompt: '感冒发烧应该怎么办？', text: '我不知道。' },
    { step: 40, prompt: '感冒发烧应该怎么办？', text: '多休息，多喝水。' },
    {
      step: 80,
      prompt: '感冒发烧应该怎么办？',
      text: '多休息，多喝温水，体温超过 38.5 度时服用退烧药。',
    },
  ].filter((sample) => sample.step <= step),
  elapsedMs: 93_000,
  tokenCount: 1_100 * step,
  peakGpuBytes: 61 * MB,
  provenance: provenanceOf({ datasetId: 'medical-zh', evalDatasetId: 'medical-zh-eval' }),
  checkpoints: checkpointsAt(id, step),
  adapterId: checkpointsAt(id, step).at(-1)?.adapterId,
});

export const RUNS: RunSummary[] = [
  run('run-1', '医学问答样例 · 11月23日 14:02', 'finished', 120),
  {
    ...run('run-2', '门诊问答 · 11月23日 15:20', 'interrupted', 40),
    // As an older version wrote it.
    ...{ tokenCount: undefined, peakGpuBytes: undefined, provenance: undefined },
    log: run('', '', 'interrupted', 40).log.map((at) =>
      'loss' in at ? { ...at, loss: at.loss * 1.15 + 0.1, tokens_per_second: undefined } : at,
    ),
    peft: { ...COMMON_RECIPE.lora, r: 8 },
    training: { ...COMMON_RECIPE.training, learning_rate: 1e-4, lr_scheduler_type: 'cosine' },
  },
];

export const BROKEN_ROUND: RunSummary = {
  ...run('run-3', '第二轮 · 11月24日 09:10', 'interrupted', 30),
  startedFrom: { adapterId: RUNS[0].adapterId!, name: RUNS[0].name, step: 120 },
};

export const ADAPTERS: AdapterSummary[] = RUNS.flatMap(adaptersOf);

export function report(
  adapterIds: readonly (string | undefined)[],
  datasetId: string,
  count: number,
): EvaluationReport {
  return {
    id: `evaluation-${datasetId}-${count}`,
    createdAt: NOW,
    modelId: 'nano-lm',
    datasetId,
    scores: adapterIds.map((adapterId) => ({
      adapterId,
      accuracy: adapterId ? 0.825 : 0.05,
      rougeL: adapterId ? 0.9124 : 0.1378,
      tokensPerSecond: adapterId ? 148.2 : 163.7,
      gpuBytes: 41 * MB,
      count,
    })),
    rows: rowsOf(datasetId).map((row, index) => ({
      instruction: row.instruction,
      input: row.input,
      reference: row.output,
      answers: adapterIds.map((adapterId) =>
        adapterId
          ? index === 2
            ? row.output.slice(0, Math.ceil(row.output.length / 2))
            : row.output
          : datasetId.includes('-en')
            ? 'I do not know.'
            : '我不知道。',
      ),
    })),
  };
}
