/** What ships with the page, as the build sees it: models in `models/NAME`, data in `models/samples`. */
import type { ModelSummary } from '../rpc/engine-api';
import nanoConfig from '$models/nano-lm/config.json';
import { countParameters } from '../decoder';
import { readModelConfig } from '../config';

const nano = readModelConfig(nanoConfig, 'models/nano-lm/config.json');
const NANO_PARAMETERS = countParameters(nano);

export const BUNDLED_MODELS: readonly ModelSummary[] = [
  {
    id: 'nano-lm',
    name: 'nano-lm',
    origin: 'bundled',
    present: true,
    architecture: nano.architecture,
    parameterCount: NANO_PARAMETERS,
    sizeBytes: 2 * NANO_PARAMETERS,
    licence: 'apache-2.0',
    languages: ['zh', 'en'],
  },
];

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
