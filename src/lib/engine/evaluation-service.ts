/** Base and tuned answers to the same questions, scored side by side; the report says which rows they were. */
import { scorePredictions } from '../evaluation';
import type { CallContext } from '../rpc/protocol';
import type {
  CountProgress,
  EvaluateRequest,
  EvaluationReport,
  EvaluationRow,
  EvaluationScore,
  WaitsFor,
} from '../rpc/engine-api';
import type { DatasetRow } from '../formats';
import { encodePrompt, toMessages, type Tokenizer } from '../text';
import type { AdapterLibrary } from './adapter-library';
import { newId, type EngineContext } from './context';
import { viewRow } from './dataset-library';
import { EngineError, notFound } from './errors';
import { GREEDY } from './greedy';
import type { LoadedModel, SpeakerWork, TalkUse } from './open-model';
import type { QuestionRows } from './question-rows';

interface EvaluationRecord extends EvaluationReport {
  schemaVersion: 1;
}

export interface EvaluationParts {
  readonly context: EngineContext;
  readonly questions: QuestionRows;
  readonly adapters: AdapterLibrary;
  readonly open: (modelId: string, context: Pick<CallContext, 'signal'>) => Promise<LoadedModel>;
  readonly speakAs: <T>(
    adapterId: string | undefined,
    model: LoadedModel,
    use: TalkUse,
    work: SpeakerWork<T>,
  ) => Promise<T>;
}

export class EvaluationService {
  constructor(private readonly parts: EvaluationParts) {}

  async list(): Promise<EvaluationReport[]> {
    const records = await this.parts.context.tables.list<EvaluationRecord>('evaluations');
    return records.sort((a, b) => b.createdAt - a.createdAt);
  }

  /** @throws EngineError `not-found` */
  async delete(id: string): Promise<void> {
    const { tables } = this.parts.context;
    if (!(await tables.get('evaluations', id))) throw notFound('evaluation', id);
    await tables.remove('evaluations', id);
  }

  async evaluate(
    request: EvaluateRequest,
    context: CallContext<CountProgress>,
  ): Promise<EvaluationReport> {
    const { questions, adapters, open, speakAs } = this.parts;
    const { signal } = context;
    const { rows, ...source } = await questions.choose(request);
    const model = await open(request.modelId, context);
    const total = rows.length * request.adapterIds.length;
    const answers: string[][] = rows.map(() => []);
    const scores: EvaluationScore[] = [];
    let done = 0;
    for (const adapterId of request.adapterIds) {
      const summary = adapterId === undefined ? undefined : await adapters.get(adapterId);
      const learnedRows = await questions.countLearned(summary?.id, rows);
      const speed = { tokens: 0, ms: 0 };
      // However many are compared, one at a time takes memory.
      const onWaiting = (waitsFor?: WaitsFor) => context.progress({ done, total, waitsFor });
      const use = { kind: 'evaluation', signal, alone: true, onWaiting } as const;
      const gpuBytes = await speakAs(summary?.id, model, use, async ({ session, adapter }) => {
        for (const [index, row] of rows.entries()) {
          signal.throwIfAborted();
          const started = performance.now();
          const result = await session.generate({
            promptIds: promptOf(row, model.folder.tokenizer),
            generation: { ...GREEDY, max_new_tokens: request.max_new_tokens },
            adapter,
            signal,
          });
          signal.throwIfAborted();
          speed.tokens += result.newTokens;
          speed.ms += performance.now() - started;
          answers[index].push(result.text);
          context.progress({ done: ++done, total });
        }
        return (await this.parts.context.device.gpu())?.liveBytes ?? 0;
      });
      const predictions = rows.map((row, index) => ({
        answer: answers[index].at(-1)!,
        reference: viewRow(row).output,
      }));
      scores.push({
        adapterId: summary?.id,
        adapterName: summary?.name,
        adapterStep: summary?.step,
        ...scorePredictions(predictions),
        tokensPerSecond: speed.ms > 0 ? (1000 * speed.tokens) / speed.ms : 0,
        gpuBytes,
        learnedRows,
      });
    }
    return this.keep({
      id: newId('evaluation'),
      createdAt: Date.now(),
      modelId: request.modelId,
      ...source,
      scores,
      rows: rows.map((row, index) => toEvaluationRow(viewRow(row), answers[index])),
    });
  }

  private async keep(report: EvaluationReport): Promise<EvaluationReport> {
    await this.parts.context.tables.put<EvaluationRecord>('evaluations', {
      ...report,
      schemaVersion: 1,
    });
    return report;
  }
}

function toEvaluationRow(
  { instruction, input, output }: ReturnType<typeof viewRow>,
  answers: readonly string[],
): EvaluationRow {
  return { instruction, input, reference: output, answers };
}

/** The very ids that training puts before the answer. */
function promptOf(row: DatasetRow, tokenizer: Tokenizer): number[] {
  if (row.kind === 'tokens')
    return row.inputIds.slice(
      0,
      row.labels.findIndex((id) => id >= 0),
    );
  if (row.kind === 'text')
    throw new EngineError(
      'bad-files',
      'Rows of plain text have no question and answer to score. Choose a data set with answers.',
    );
  return encodePrompt(toMessages(row).slice(0, -1), tokenizer);
}
