export { CATALOGUE, findInCatalogue, type CatalogueEntry } from './catalogue';
export {
  downloadModel,
  folderNameOf,
  type DownloadedModel,
  type DownloadOptions,
  type DownloadProgress,
  type DownloadRequest,
} from './download';
export { fetchOwn } from './fetch-own';
export { HubError, type HubErrorCode } from './errors';
export { DEFAULT_ENDPOINT, ENDPOINTS, isAllowedUrl } from './hosts';
export {
  isSealClosed,
  Ledger,
  setSealClosed,
  type LedgerEntry,
  type LedgerOutcome,
} from './ledger';
