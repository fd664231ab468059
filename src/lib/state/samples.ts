/**
 * The bundled samples by their ids: `medical-zh`, `medical-en` to learn from, and the held-back
 * questions `medical-zh-eval`, `medical-en-eval`.
 */
import type { Locale } from '../i18n';
import type { DatasetSummary } from '../rpc/engine-api';

export type SampleLanguage = 'zh' | 'en';

export const sampleLanguageOf = (locale: Locale): SampleLanguage => (locale === 'en' ? 'en' : 'zh');

export function findSample(
  datasets: readonly DatasetSummary[],
  language: SampleLanguage,
  part: 'train' | 'eval',
): DatasetSummary | undefined {
  return datasets.find(
    (dataset) =>
      dataset.origin === 'bundled' &&
      new RegExp(`(^|[^a-z])${language}([^a-z]|$)`).test(dataset.id) &&
      isHeldBack(dataset) === (part === 'eval'),
  );
}

/** Bundled questions that are for evaluation only. */
export const isHeldBack = (dataset: DatasetSummary): boolean =>
  dataset.origin === 'bundled' && /eval|held|test/.test(dataset.id);

/** The questions that belong to a bundled sample; undefined for a person's own data. */
export function heldBackOf(
  datasets: readonly DatasetSummary[],
  dataset: DatasetSummary | undefined,
): DatasetSummary | undefined {
  if (dataset?.origin !== 'bundled') return undefined;
  return (['zh', 'en'] as const)
    .filter((language) => findSample([dataset], language, 'train'))
    .map((language) => findSample(datasets, language, 'eval'))[0];
}
