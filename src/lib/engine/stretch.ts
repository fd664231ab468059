/** Long work of the worker's own, cut into short stretches, so that it answers in between. */

/** An abort and other calls wait no longer than this. */
const STRETCH_MS = 40;

export class Stretch {
  private ends = performance.now() + STRETCH_MS;

  get isOver(): boolean {
    return performance.now() >= this.ends;
  }

  /** Lets the worker hear what was said in the meantime. @throws AbortError */
  async rest(signal?: AbortSignal): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve));
    signal?.throwIfAborted();
    this.ends = performance.now() + STRETCH_MS;
  }
}
