/** The person's data and the bundled samples; importing, with a mapping where columns are unknown. */
import type {
  DatasetReport,
  DatasetRowView,
  DatasetSummary,
  EngineApi,
  RowPreview,
} from '../rpc/engine-api';
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

class Datasets extends Collection<DatasetSummary> {
  reading = $state<string>();
  /** Of the last import: how it was read, what was wrong in it, which columns still need a meaning. */
  report = $state.raw<DatasetReport>();
  reportFile = $state.raw<File>();
  importError = $state.raw<unknown>();

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

  /** @returns the dataset, or undefined when it failed or still needs a mapping */
  async importFile(
    file: File,
    mapping?: Readonly<Record<string, string>>,
  ): Promise<DatasetSummary | undefined> {
    this.reading = file.name;
    this.importError = undefined;
    // The form that a mapping comes from stays until there is an answer to it.
    if (!mapping) this.report = undefined;
    this.reportFile = file;
    try {
      this.report = await engine.call((api) => api.importDataset({ file, mapping }));
      if (this.report.dataset) await this.refresh();
      return this.report.dataset;
    } catch (error) {
      this.importError = error;
      return undefined;
    } finally {
      this.reading = undefined;
    }
  }

  forgetReport(): void {
    this.report = undefined;
    this.reportFile = undefined;
    this.importError = undefined;
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
    if (this.report?.dataset?.id === datasetId) this.forgetReport();
    await this.refresh();
  }
}

export const datasets = new Datasets();
