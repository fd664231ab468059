/**
 * Looks at data as a run would have it: how long its rows are, what `max_length` cuts, what is there twice, what
 * is empty, and what is held back though it is learned from. Long data is measured in short stretches, so
 * that the worker answers in between; what was measured stays for the next question about the same data.
 */
import { findDuplicates, findLeaked, hasEmptyAnswer, type DatasetRow } from '../formats';
import type { CallContext } from '../rpc/protocol';
import type {
  CountProgress,
  DataFinding,
  DataInspection,
  FoundRow,
  InspectRequest,
  LeaveOut,
} from '../rpc/engine-api';
import {
  countParts,
  cutsAnswer,
  measureRow,
  TextError,
  type RowMeasure,
  type Tokenizer,
} from '../text';
import { lengthHistogram } from '../training';
import type { DatasetLibrary } from './dataset-library';
import type { KnownModel } from './known-model';
import { chooseRows } from './run-rows';
import { Stretch } from './stretch';

/** Rows of a finding that a page is given; the count tells of the others. */
const MOST_ROWS = 1000;

export interface InspectorParts {
  readonly datasets: DatasetLibrary;
  readonly know: (modelId: string, context: Pick<CallContext, 'signal'>) => Promise<KnownModel>;
}

/** What no length changes. */
interface Sides {
  readonly rowCount: number;
  readonly train: readonly number[];
  readonly evalRows: number;
  readonly findings: Readonly<Record<Exclude<LeaveOut, 'cut'>, DataFinding>>;
}

interface Remembered<Value> {
  readonly key: string;
  readonly value: Value;
}

export class DatasetInspector {
  private sides: Remembered<Sides> | undefined;
  /** Grows while it is measured; a call that was aborted leaves the next one its part. */
  private measures: Remembered<RowMeasure[]> | undefined;

  constructor(private readonly parts: InspectorParts) {}

  /** @throws EngineError `not-found`, `evicted`; TextError naming the row that the model cannot take */
  async inspect(
    request: InspectRequest,
    call: CallContext<CountProgress>,
  ): Promise<DataInspection> {
    // Others may be waiting for the same model: to look no longer does not stop its opening.
    const { folder } = await this.parts.know(request.modelId, new AbortController());
    call.signal.throwIfAborted();
    const { train, rowCount, evalRows, findings } = await this.sidesOf(request, call.signal);
    const measures = await this.measure(rowCount, folder.tokenizer, request, call);
    const allowed = folder.config.maxPositionEmbeddings;
    const maxLength = Math.min(request.maxLength, allowed);
    const partsOf = ({ isSplittable, tokens }: RowMeasure) =>
      request.splitLongText && isSplittable ? countParts(tokens, maxLength) : 1;
    const split = train.map((index) => partsOf(measures[index])).filter((parts) => parts > 1);
    const isCut = (index: number) =>
      partsOf(measures[index]) === 1 && cutsAnswer(measures[index], maxLength);
    const cut = train.filter(isCut);
    const { bins, ...lengths } = lengthHistogram(
      train.map((index) => ({ tokens: measures[index].tokens, isCut: isCut(index) })),
      maxLength,
    );
    const uncut = train.reduce((most, index) => Math.max(most, measures[index].lastTarget + 1), 2);
    return {
      rowCount,
      trainRows: train.length - (request.leaveOut?.includes('cut') ? cut.length : 0),
      evalRows,
      splitTexts: {
        rows: split.length,
        parts: split.reduce((sum, parts) => sum + parts, 0),
        maxLength,
      },
      maxLength,
      lengths: { ...lengths, bars: bins },
      uncutLength: uncut <= allowed ? uncut : undefined,
      findings: {
        ...findings,
        cut: finding(cut.map((index) => ({ index, tokens: measures[index].tokens }))),
      },
    };
  }

  private async sidesOf(request: InspectRequest, signal: AbortSignal): Promise<Sides> {
    const { datasetId, evalShare, evalDatasetId, leaveOut = [], seed } = request;
    const ofRows = leaveOut.filter((what) => what !== 'cut').sort();
    const key = JSON.stringify([datasetId, evalShare, evalDatasetId, seed, ofRows]);
    if (this.sides?.key === key) return this.sides.value;
    // Leaked rows are to be found, left out or not.
    const kept = leaveOut.filter((what) => what !== 'leaked');
    const choice = { datasetId, evalShare, evalDatasetId, leaveOut: kept, seed };
    const { rows, evalRows, selected } = await chooseRows(this.parts.datasets, choice);
    const stretch = new Stretch();
    await stretch.rest(signal);
    const duplicates = findDuplicates(rows).flatMap(([like, ...later]) =>
      later.map((index) => ({ index, like })),
    );
    await stretch.rest(signal);
    const empty = rows.flatMap((row, index) => (hasEmptyAnswer(row) ? [{ index }] : []));
    await stretch.rest(signal);
    const leaked = findLeaked(rows, selected, evalRows);
    const heldBack = selected.evaluation.length;
    const value: Sides = {
      rowCount: rows.length,
      train: selected.train,
      evalRows: leaveOut.includes('leaked') ? heldBack - leaked.length : heldBack,
      findings: {
        duplicates: finding(duplicates.sort((a, b) => a.index - b.index)),
        empty: finding(empty),
        leaked: finding(leaked.map(({ row, like }) => ({ index: row, like }))),
      },
    };
    this.sides = { key, value };
    return value;
  }

  private async measure(
    rowCount: number,
    tokenizer: Tokenizer,
    { modelId, datasetId, trainOnPrompt }: InspectRequest,
    { signal, progress }: CallContext<CountProgress>,
  ): Promise<readonly RowMeasure[]> {
    const key = JSON.stringify([modelId, datasetId, trainOnPrompt]);
    if (this.measures?.key !== key) this.measures = { key, value: [] };
    const measures = this.measures.value;
    if (measures.length >= rowCount) return measures;
    // Read anew: rows that lie in storage need not be in memory for as long as their lengths are.
    const rows = await this.parts.datasets.rows(datasetId);
    const stretch = new Stretch();
    while (measures.length < rows.length) {
      measures.push(measureNumbered(rows, measures.length, tokenizer, trainOnPrompt));
      if (!stretch.isOver) continue;
      progress({ done: measures.length, total: rows.length });
      await stretch.rest(signal);
    }
    return measures;
  }
}

function measureNumbered(
  rows: readonly DatasetRow[],
  index: number,
  tokenizer: Tokenizer,
  trainOnPrompt: boolean,
): RowMeasure {
  try {
    return measureRow(rows[index], tokenizer, { template: 'auto', trainOnPrompt });
  } catch (error) {
    if (!(error instanceof TextError)) throw error;
    const { code, message, details } = error;
    throw new TextError(code, `Row ${index + 1}: ${message}`, {
      details: { ...details, row: index + 1 },
      cause: error,
    });
  }
}

const finding = (rows: readonly FoundRow[]): DataFinding => ({
  count: rows.length,
  rows: rows.slice(0, MOST_ROWS),
});
