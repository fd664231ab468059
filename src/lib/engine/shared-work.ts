/** Work that several callers wait for: each may leave by itself, and the work is aborted when the last has left. */
export class SharedWork<Result, Progress> {
  private readonly stop = new AbortController();
  private readonly listeners = new Set<(update: Progress) => void>();
  private readonly done: Promise<Result>;
  private waiting = 0;
  private pending = true;

  constructor(
    start: (signal: AbortSignal, progress: (update: Progress) => void) => Promise<Result>,
  ) {
    this.done = start(this.stop.signal, (update) => {
      for (const listener of this.listeners) listener(update);
    });
    const end = () => (this.pending = false);
    this.done.then(end, end);
  }

  /** Nobody waited any more before it was done. */
  get abandoned(): boolean {
    return this.stop.signal.aborted;
  }

  /** Resolves when it is done, well or not. */
  async settled(): Promise<Result | undefined> {
    return this.done.catch(() => undefined);
  }

  /** @throws AbortError when the caller's signal aborts, whoever else waits */
  async wait(signal: AbortSignal, progress?: (update: Progress) => void): Promise<Result> {
    signal.throwIfAborted();
    this.waiting++;
    if (progress) this.listeners.add(progress);
    let leave = () => {};
    const left = new Promise<never>((_, reject) => {
      leave = () => reject(signal.reason as Error);
      signal.addEventListener('abort', leave, { once: true });
    });
    try {
      return await Promise.race([this.done, left]);
    } finally {
      signal.removeEventListener('abort', leave);
      if (progress) this.listeners.delete(progress);
      this.waiting--;
      if (this.waiting === 0 && this.pending) this.stop.abort();
    }
  }
}
