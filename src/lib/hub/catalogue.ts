/** The models that a click brings, from models/catalogue.json. Sizes are those of the files to download. */
import type { Architecture } from '../config/model-config';
import catalogue from '../../../models/catalogue.json';

export interface CatalogueEntry {
  /** The folder under `models/`. */
  id: string;
  name: string;
  /** `bundled` ones come with the page and have no repository. */
  origin: 'bundled' | 'hub';
  repo?: string;
  revision?: string;
  architecture: Architecture;
  parameterCount: number;
  /** Approximate. */
  sizeBytes: number;
  /** SPDX where there is one, else the name that its publisher uses. */
  licence: string;
  /** BCP 47. */
  languages: string[];
  /** The publisher wants consent and a token first. */
  gated: boolean;
}

export const CATALOGUE: readonly CatalogueEntry[] = catalogue.models as CatalogueEntry[];

export const findInCatalogue = (id: string): CatalogueEntry | undefined =>
  CATALOGUE.find((entry) => entry.id === id);
