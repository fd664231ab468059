/**
 * Which rows an evaluation asks, and how many of them an adapter has learned from: a score on those tells what it
 * remembers. What a run learned from is rebuilt from its record, so it is known for as long as run and data are there.
 */
import { findLeaked, type DatasetRow } from '../formats';
import type { QuestionChoice, QuestionsInspection, RunSummary } from '../rpc/engine-api';
import type { AdapterLibrary } from './adapter-library';
import type { DatasetLibrary } from './dataset-library';
import { EngineError } from './errors';
import type { RunLibrary } from './run-library';
import { chooseRows, rowsOfRun } from './run-rows';

export interface QuestionParts {
  readonly datasets: DatasetLibrary;
  readonly runs: RunLibrary;
  readonly adapters: AdapterLibrary;
}

export interface AskedRows {
  readonly rows: readonly DatasetRow[];
  /** Where they are from. */
  readonly datasetId: string;
  readonly heldBackOf?: { readonly runId: string; readonly name: string };
}

/** Undefined where the run, or the data that it learned from, is not there any more. */
type Learned = ReadonlySet<number> | undefined;

export class QuestionRows {
  constructor(private readonly parts: QuestionParts) {}

  /** @throws EngineError `not-found`, `evicted`; `nothing-held-back` of a run that held back no row */
  async choose({ datasetId, heldBackOf, maxRows }: QuestionChoice): Promise<AskedRows> {
    const { datasets, runs } = this.parts;
    const count = maxRows > 0 ? maxRows : undefined;
    if (heldBackOf === undefined)
      return { datasetId, rows: await datasets.rows(datasetId, 0, count) };
    const run = await runs.get(heldBackOf);
    const { evalRows } = await rowsOfRun(datasets, run);
    if (evalRows.length === 0)
      throw new EngineError(
        'nothing-held-back',
        `${run.name} held back no row to evaluate on. Choose a data set that it has not learned from.`,
        { details: { name: run.name } },
      );
    return {
      datasetId: run.evalDatasetId ?? run.datasetId,
      heldBackOf: { runId: run.id, name: run.name },
      rows: evalRows.slice(0, count),
    };
  }

  async inspect(
    choice: QuestionChoice & { readonly adapterIds: readonly (string | undefined)[] },
  ): Promise<QuestionsInspection> {
    const { rows } = await this.choose(choice);
    const learnedRows: (number | undefined)[] = [];
    for (const id of choice.adapterIds) learnedRows.push(await this.countLearned(id, rows));
    return { count: rows.length, learnedRows };
  }

  /**
   * Rows whose question is one that the adapter's run, or a run that it went on from, learns from, by the measure
   * of `leaked`. A run that was stopped, or leaves out what is cut, may have learned fewer. Undefined where no
   * run is known, which is so of the base model.
   */
  async countLearned(
    adapterId: string | undefined,
    rows: readonly DatasetRow[],
  ): Promise<number | undefined> {
    const found = new Set<number>();
    const seen = new Set<string>();
    let isKnown = true;
    let next = adapterId;
    do {
      const run = next === undefined ? undefined : await this.runOf(next);
      // Records of an import may go round in a circle.
      if (run && seen.has(run.id)) break;
      const learned = run && (await this.learnedBy(run, rows));
      for (const index of learned ?? []) found.add(index);
      isKnown &&= learned !== undefined;
      if (run) seen.add(run.id);
      next = run?.startedFrom?.adapterId;
    } while (next !== undefined);
    // What is known of one round is worth saying though another is forgotten.
    return isKnown || found.size > 0 ? found.size : undefined;
  }

  private async runOf(adapterId: string): Promise<RunSummary | undefined> {
    const { adapters, runs } = this.parts;
    const adapter = await unlessGone(adapters.get(adapterId));
    return adapter?.runId === undefined ? undefined : runs.find(adapter.runId);
  }

  private async learnedBy(run: RunSummary, asked: readonly DatasetRow[]): Promise<Learned> {
    const { seed } = run.training;
    const chosen = await unlessGone(chooseRows(this.parts.datasets, { ...run, seed }));
    if (!chosen) return undefined;
    const sides = { train: chosen.selected.train, evaluation: asked.map((_, index) => index) };
    return new Set(findLeaked(chosen.rows, sides, asked).map(({ row }) => row));
  }
}

async function unlessGone<Value>(wanted: Promise<Value>): Promise<Value | undefined> {
  try {
    return await wanted;
  } catch (error) {
    const isGone =
      error instanceof EngineError && (error.code === 'not-found' || error.code === 'evicted');
    if (isGone) return undefined;
    throw error;
  }
}
