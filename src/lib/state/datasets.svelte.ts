/** The person's data and the bundled samples; importing, with a mapping where columns are unknown. */
import type {
  DatasetReport,
  DatasetRowView,
  DatasetSummary,
  EngineApi,
  RowPreview,
} from '../rpc/engine-api';
import { InkstoneError } from '../config';
import { Collection } from './collection.svelte';
import { engine } from './engine.svelte';
import { lang } from './lang.svelte';
import { models } from './models.svelte';
import { readSampleId } from './samples';

type PreviewRequest = Parameters<EngineApi['previewRow']>[0];

/** Characters of a question that any model can read, and a person at a glance. */
const LONGEST_QUESTION = 200;
/** Rows that are looked through for one. */
const MOST_LOOKED_AT = 20;

/** Each becomes a data set of its own, so that more of them are a folder dropped by mistake. */
export const MOST_FILES = 100;

/** A file that was brought, and what came of it. With both, the report is of before what went wrong. */
export interface FileIntake {
  readonly file: File;
  /** How it was read, what was wrong in it, which columns still need a meaning. */
  readonly report?: DatasetReport;
  readonly error?: unknown;
}

/** The file that is being read, and which of them it is. */
export interface FileReading {
  readonly name: string;
  /** 1-based. */
  readonly place: number;
  readonly count: number;
}

class Datasets extends Collection<DatasetSummary> {
  reading = $state.raw<FileReading>();
  /** Of the files last brought together, in their order. */
  intakes = $state.raw<readonly FileIntake[]>([]);
  /** Why none of them was looked at. */
  intakeError = $state.raw<unknown>();

  constructor() {
    super((api) => api.listDatasets());
  }

  name(id: string): string {
    const dataset = this.byId(id);
    return dataset ? this.nameOf(dataset) : id;
  }

  /** Samples are called by their subject, in the person's language. */
  nameOf(dataset: DatasetSummary): string {
    const sample = dataset.origin === 'bundled' ? readSampleId(dataset.id) : undefined;
    return sample ? lang.t.train.sampleName(sample) : dataset.name;
  }

  /**
   * Every file becomes a data set of its own; one that cannot be read keeps none of the others back.
   * @returns those that were taken, in the order of the files
   */
  async importFiles(files: readonly File[]): Promise<DatasetSummary[]> {
    this.forgetIntakes();
    if (files.length > MOST_FILES) {
      this.intakeError = tooMany(files.length);
      return [];
    }
    const taken: DatasetSummary[] = [];
    for (const [index, file] of files.entries()) {
      const intake = await this.#import(file, { place: index + 1, count: files.length });
      this.intakes = [...this.intakes, intake];
      if (intake.report?.dataset) taken.push(intake.report.dataset);
    }
    return taken;
  }

  /** One of `intakes` once more, read by this mapping. The form that it comes from stays until there is an answer. */
  async readAgain(
    before: FileIntake,
    mapping: Readonly<Record<string, string>>,
  ): Promise<DatasetSummary | undefined> {
    const one = { place: 1, count: 1 };
    const after = { report: before.report, ...(await this.#import(before.file, one, mapping)) };
    this.intakes = this.intakes.map((intake) => (intake.file === before.file ? after : intake));
    return after.error === undefined ? after.report?.dataset : undefined;
  }

  async #import(
    file: File,
    where: Omit<FileReading, 'name'>,
    mapping?: Readonly<Record<string, string>>,
  ): Promise<FileIntake> {
    this.reading = { name: file.name, ...where };
    try {
      const report = await engine.call((api) => api.importDataset({ file, mapping }));
      if (report.dataset) await this.refresh();
      return { file, report };
    } catch (error) {
      return { file, error };
    } finally {
      this.reading = undefined;
    }
  }

  forgetIntakes(): void {
    this.intakes = [];
    this.intakeError = undefined;
  }

  readRows(datasetId: string, start: number, count: number): Promise<DatasetRowView[]> {
    return engine.call((api) => api.readRows({ datasetId, start, count }));
  }

  /** A few short questions from all over the data, as a person would ask them; fewer where all are long. */
  async pickQuestions(dataset: DatasetSummary, count: number): Promise<string[]> {
    const stride = Math.max(1, Math.floor(dataset.rowCount / count));
    const neighbours = await Promise.all(
      Array.from({ length: Math.min(count, dataset.rowCount) }, (_, place) =>
        this.readRows(dataset.id, place * stride, Math.min(stride, MOST_LOOKED_AT)),
      ),
    );
    return neighbours.flatMap(
      (rows) =>
        rows
          .map(({ instruction, input }) => (input ? `${instruction}\n${input}` : instruction))
          .find((text) => text.length <= LONGEST_QUESTION) ?? [],
    );
  }

  /** These rows, wherever in the data they lie. */
  async readRowsAt(datasetId: string, indices: readonly number[]): Promise<DatasetRowView[]> {
    const read = await Promise.all(indices.map((index) => this.readRows(datasetId, index, 1)));
    return read.flat();
  }

  async preview(request: PreviewRequest): Promise<RowPreview> {
    await models.open(request.modelId);
    return engine.call((api) => api.previewRow(request));
  }

  async remove(datasetId: string): Promise<void> {
    await engine.call((api) => api.deleteDataset({ datasetId }));
    this.intakes = this.intakes.filter(({ report }) => report?.dataset?.id !== datasetId);
    await this.refresh();
  }
}

const tooMany = (count: number) =>
  new InkstoneError(
    'too-many-files',
    `These are ${count} files, and each would become a data set of its own; at most ${MOST_FILES} are read at once. Choose fewer, or put their rows into one file.`,
    { details: { found: count, allowed: MOST_FILES } },
  );

export const datasets = new Datasets();
