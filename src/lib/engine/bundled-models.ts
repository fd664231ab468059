/** What ships with the page and what a click brings: the catalogue, and the samples in `models/samples`. */
import { CATALOGUE, type CatalogueEntry } from '../hub';
import type { ModelSummary } from '../rpc/engine-api';

/** The catalogue as a page lists it; a hub model is present once its folder is stored. */
export function summaryOf(entry: CatalogueEntry): ModelSummary {
  const { id, name, origin, architecture, parameterCount, sizeBytes, licence, languages } = entry;
  const bundled = origin === 'bundled';
  return {
    id,
    name,
    origin: bundled ? 'bundled' : 'catalogue',
    present: bundled,
    architecture,
    parameterCount,
    sizeBytes,
    licence,
    languages,
  };
}

export const CATALOGUE_MODELS: readonly ModelSummary[] = CATALOGUE.map(summaryOf);

/** Bundled data sets: `SUBJECT-LANGUAGE`, with `-eval` for the questions held back from training. */
export const BUNDLED_SAMPLES = ['medical', 'customer-service'].flatMap((subject) =>
  ['zh', 'en'].flatMap((language) =>
    ['', '.eval'].map((part) => ({
      id: `${subject}-${language}${part.replace('.', '-')}`,
      subject,
      file: `${subject}.${language}${part}.json`,
    })),
  ),
);

export type BundledSample = (typeof BUNDLED_SAMPLES)[number];
