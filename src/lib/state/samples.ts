/**
 * The bundled samples by their ids: `medical-zh` to learn from and `medical-zh-eval`, its held-back
 * questions; likewise for `en` and for other subjects.
 */
import type { Locale } from '../i18n';
import type { DatasetSummary } from '../rpc/engine-api';

export type SampleLanguage = 'zh' | 'en';
export type SamplePart = 'train' | 'eval';

export interface Sample {
  subject: string;
  language: SampleLanguage;
  part: SamplePart;
}

/** The sample of the tour. */
const TOUR_SUBJECT = 'medical';

export function readSampleId(id: string): Sample | undefined {
  const match = /^(.+)-(zh|en)(-eval)?$/.exec(id);
  if (!match) return undefined;
  const [, subject, language, held] = match;
  return { subject, language: language as SampleLanguage, part: held ? 'eval' : 'train' };
}

export const sampleLanguageOf = (locale: Locale): SampleLanguage => (locale === 'en' ? 'en' : 'zh');

export const findSample = (
  datasets: readonly DatasetSummary[],
  language: SampleLanguage,
  part: SamplePart,
): DatasetSummary | undefined =>
  datasets.find(({ id, origin }) => {
    const sample = origin === 'bundled' ? readSampleId(id) : undefined;
    return sample?.subject === TOUR_SUBJECT && sample.language === language && sample.part === part;
  });

/** Bundled questions that are for evaluation only. */
export const isHeldBack = ({ id, origin }: DatasetSummary): boolean =>
  origin === 'bundled' && readSampleId(id)?.part === 'eval';

/** The questions that belong to a bundled sample; undefined for a person's own data. */
export const heldBackOf = (
  datasets: readonly DatasetSummary[],
  dataset: DatasetSummary | undefined,
): DatasetSummary | undefined =>
  dataset?.origin === 'bundled'
    ? datasets.find((other) => isHeldBack(other) && other.id === `${dataset.id}-eval`)
    : undefined;
