/**
 * The part of a run's request that records of older versions do not hold. A resumed run must hold back the same rows,
 * or it would learn from other data than it began with.
 */
import {
  KEPT_REQUESTS,
  shapeRequests,
  type RememberedRequest,
  type SavedRequests,
} from './local-shapes';
import { readLocal, writeLocal } from './local-store';

const KEY = 'requests';

const readRequests = (): SavedRequests => readLocal<SavedRequests>(KEY, shapeRequests, []);

export function rememberRequest(runId: string, request: RememberedRequest): void {
  const { evalShare, evalDatasetId, samplePrompts, sampleEvery } = request;
  const others = readRequests().filter(([id]) => id !== runId);
  writeLocal(KEY, [
    ...others.slice(1 - KEPT_REQUESTS),
    [runId, { evalShare, evalDatasetId, samplePrompts, sampleEvery }],
  ]);
}

export const recallRequest = (runId: string): RememberedRequest | undefined =>
  readRequests().find(([id]) => id === runId)?.[1];

/** Adds what came with an import; what is remembered here stays. */
export function adoptRequests(requests: SavedRequests): void {
  const own = readRequests();
  const known = new Set(own.map(([id]) => id));
  const others = requests.filter(([id]) => !known.has(id));
  if (others.length > 0) writeLocal(KEY, [...others, ...own].slice(-KEPT_REQUESTS));
}
