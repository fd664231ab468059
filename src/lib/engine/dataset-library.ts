/** Data sets on this device: bundled samples and what a person brought, row by row. */
import { bearsLoss } from '../config';
import {
  applyMapping,
  findDuplicates,
  FormatError,
  mappingOf,
  MAX_COLUMNS,
  readDataset,
  suggestMapping,
  type DatasetRow,
  type FieldMapping,
  type MappedDataset,
} from '../formats';
import { fetchOwn } from '../hub';
import type {
  DatasetReport,
  DatasetRowView,
  DatasetSchema,
  DatasetSummary,
} from '../rpc/engine-api';
import { BUNDLED_SAMPLES, type BundledSample } from './bundled-models';
import { newId, type EngineContext } from './context';
import { EngineError, evicted, notFound } from './errors';

interface DatasetRecord extends DatasetSummary {
  schemaVersion: 1;
}

interface LoadedSample {
  readonly summary: DatasetSummary;
  readonly rows: readonly DatasetRow[];
}

/** Problems shown at most; the number of all of them is what counts after that. */
const MAX_PROBLEMS = 200;
/** Of a column that is only told of; the key of a hostile row may be half the file. */
const MAX_NAME_CHARS = 100;

export class DatasetLibrary {
  private readonly samples = new Map<string, Promise<LoadedSample>>();

  constructor(private readonly context: EngineContext) {}

  async list(): Promise<DatasetSummary[]> {
    const stored = await this.listImported();
    const samples = await Promise.all(BUNDLED_SAMPLES.map((sample) => this.sample(sample)));
    return [...samples.map(({ summary }) => summary), ...stored.sort(byAge)];
  }

  listImported(): Promise<DatasetSummary[]> {
    return this.context.tables.list<DatasetRecord>('datasets');
  }

  /** @throws EngineError `not-found` */
  async get(id: string): Promise<DatasetSummary> {
    const bundled = BUNDLED_SAMPLES.find((sample) => sample.id === id);
    if (bundled) return (await this.sample(bundled)).summary;
    const record = await this.context.tables.get<DatasetRecord>('datasets', id);
    if (!record) throw notFound('data set', id);
    return record;
  }

  /** @throws EngineError `not-found`, `evicted` */
  async rows(id: string, start = 0, count = Number.MAX_SAFE_INTEGER): Promise<DatasetRow[]> {
    const bundled = BUNDLED_SAMPLES.find((sample) => sample.id === id);
    if (bundled) return (await this.sample(bundled)).rows.slice(start, start + count);
    const { rowCount, name } = await this.get(id);
    const wanted = Math.max(0, Math.min(count, rowCount - start));
    const rows = await this.context.tables.readRows<DatasetRow>(id, start, wanted);
    // A run over fewer rows than it began with would silently learn something else.
    if (rows.length < wanted) throw evicted(name);
    return rows;
  }

  async import(file: File, mapping?: Readonly<Record<string, string>>): Promise<DatasetReport> {
    const dataset = readDataset(new Uint8Array(await file.arrayBuffer()), { fileName: file.name });
    const mapped: MappedDataset = mapping
      ? applyMapping(dataset.records, mapping as FieldMapping)
      : dataset;
    const { schema, columns } = dataset;
    if (columns.length === 0) throw holdsNoRow(file.name);
    const read = schema === 'unknown' ? suggestMapping(columns) : mappingOf(schema, columns);
    const report = {
      schema: schemaOf(mapped),
      columns: columns.slice(0, MAX_COLUMNS),
      suggestedMapping: mapping ?? { ...read },
      unusedColumns: mapped.unusedColumns
        .slice(0, MAX_COLUMNS)
        .map((name) => name.slice(0, MAX_NAME_CHARS)),
      problems: mapped.problems.slice(0, MAX_PROBLEMS),
      duplicateCount: countDuplicates(mapped.rows),
    };
    if (mapped.rows.length === 0) return report;
    const hash = await hashRows(mapped.rows);
    const summary: DatasetSummary = (await this.clearedTwin(hash)) ?? {
      id: newId('data'),
      name: file.name.replace(/\.[^.]+$/, ''),
      schema: schemaOf(mapped),
      rowCount: mapped.rows.length,
      hash,
      createdAt: Date.now(),
      origin: 'imported',
    };
    const { id } = summary;
    await this.context.tables.removeRows(id);
    await this.context.tables.appendRows(id, mapped.rows);
    await this.context.tables.put<DatasetRecord>('datasets', { ...summary, schemaVersion: 1 });
    return { ...report, dataset: summary };
  }

  /** The record of these very rows where the browser has cleared some of them: they come back into their place. */
  private async clearedTwin(hash: string): Promise<DatasetSummary | undefined> {
    const { tables } = this.context;
    for (const summary of (await this.listImported()).filter((each) => each.hash === hash)) {
      const rows = await tables.readRows<DatasetRow>(summary.id, 0, summary.rowCount);
      if (rows.length < summary.rowCount) return summary;
    }
    return undefined;
  }

  async delete(id: string): Promise<void> {
    const { origin, name } = await this.get(id);
    if (origin === 'bundled')
      throw new EngineError('bundled', `${name} ships with Inkstone and cannot be deleted.`);
    await this.context.tables.remove('datasets', id);
    await this.context.tables.removeRows(id);
  }

  private sample(sample: BundledSample): Promise<LoadedSample> {
    let loaded = this.samples.get(sample.id);
    if (!loaded) {
      loaded = this.loadSample(sample);
      this.samples.set(sample.id, loaded);
      loaded.catch(() => this.samples.delete(sample.id));
    }
    return loaded;
  }

  private async loadSample({ id, file }: BundledSample): Promise<LoadedSample> {
    const response = await fetchOwn(`${this.context.baseUrl}samples/${file}`);
    const dataset = readDataset(await response.text(), { fileName: file });
    const summary: DatasetSummary = {
      id,
      name: id,
      schema: schemaOf(dataset),
      rowCount: dataset.rows.length,
      hash: await hashRows(dataset.rows),
      createdAt: 0,
      origin: 'bundled',
    };
    return { summary, rows: dataset.rows };
  }
}

function holdsNoRow(fileName: string): FormatError {
  return new FormatError(
    'wrong-format',
    `${fileName} holds no row with a field in it. Each row needs a question and an answer, a conversation or a text.`,
    { details: { fileName } },
  );
}

function schemaOf({ schema }: MappedDataset): DatasetSchema {
  return schema === 'tokens' ? 'tokenised' : schema;
}

function countDuplicates(rows: readonly DatasetRow[]): number {
  return findDuplicates(rows).reduce((sum, group) => sum + group.length - 1, 0);
}

async function hashRows(rows: readonly DatasetRow[]): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(rows));
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

const byAge = (a: DatasetSummary, b: DatasetSummary) => b.createdAt - a.createdAt;

/** A row of any kind as question, context and answer. */
export function viewRow(row: DatasetRow): DatasetRowView {
  switch (row.kind) {
    case 'instruction':
      return { instruction: row.instruction, input: row.input, output: row.output };
    case 'completion':
      return { instruction: row.prompt, input: '', output: row.completion };
    case 'chat': {
      const last = row.messages.findLastIndex(bearsLoss);
      const before = row.messages.slice(0, last);
      const question = before.at(-1)?.content ?? '';
      const context = before.slice(0, -1).map(({ role, content }) => `${role}: ${content}`);
      return {
        instruction: question,
        input: context.join('\n'),
        output: row.messages[last]?.content ?? '',
      };
    }
    case 'text':
      return { instruction: '', input: '', output: row.text };
    case 'tokens':
      return { instruction: '', input: '', output: row.inputIds.join(' ') };
  }
}
