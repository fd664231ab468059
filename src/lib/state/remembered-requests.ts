/**
 * The part of a run's request that its record does not hold. A resumed run must hold back the same rows,
 * or it would learn from other data than it began with.
 */
import type { TrainRequest } from '../rpc/engine-api';
import { readLocal, writeLocal } from './local-store';

export type RememberedRequest = Pick<TrainRequest, 'evalShare' | 'evalDatasetId' | 'samplePrompts'>;

const KEY = 'requests';
const KEPT = 100;

type Memory = [runId: string, request: RememberedRequest][];

export function rememberRequest(runId: string, request: RememberedRequest): void {
  const { evalShare, evalDatasetId, samplePrompts } = request;
  const others = readLocal<Memory>(KEY, []).filter(([id]) => id !== runId);
  writeLocal(KEY, [
    ...others.slice(1 - KEPT),
    [runId, { evalShare, evalDatasetId, samplePrompts }],
  ]);
}

export const recallRequest = (runId: string): RememberedRequest | undefined =>
  readLocal<Memory>(KEY, []).find(([id]) => id === runId)?.[1];
