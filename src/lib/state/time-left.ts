/** How long something that moves bytes will still take, from how long its stage has taken so far. Pure. */
import type { ArchiveProgress } from '../rpc/engine-api';

/** Before this nothing is said: the first pieces are not like the rest. */
const LEAST_MS = 1500;
const LEAST_SHARE = 0.02;

export class TimeLeft {
  #stage: ArchiveProgress['stage'] | undefined;
  #startedAt = 0;
  #startBytes = 0;

  /** Milliseconds; undefined while it cannot be told. */
  after({ stage, doneBytes, totalBytes }: ArchiveProgress, nowMs: number): number | undefined {
    if (stage !== this.#stage) {
      this.#stage = stage;
      this.#startedAt = nowMs;
      this.#startBytes = doneBytes;
    }
    const elapsedMs = nowMs - this.#startedAt;
    const done = doneBytes - this.#startBytes;
    if (elapsedMs < LEAST_MS || done <= 0 || doneBytes < LEAST_SHARE * totalBytes) return undefined;
    return (elapsedMs * Math.max(0, totalBytes - doneBytes)) / done;
  }
}
