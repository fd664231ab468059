/**
 * How long a run has worked: without its pauses, and without the hours in which the machine slept in the middle of
 * a step. Knows nothing of runs.
 */

/** Durations that tell how long the next takes. */
const RECENT = 20;
/** A stretch between two signs of life is sleep from here on, and from so many usual steps on. */
const LONGEST_STRETCH_MS = 120_000;
const LONGEST_STRETCH_STEPS = 20;

/** How long something that comes again and again usually takes. */
export class UsualTime {
  private readonly recent: number[] = [];
  /** Where those begin that did not compile. */
  private first = 1;

  /** The median of the last ones; 0 before the first. The very first, which compiles, counts only while it is alone. */
  get ms(): number {
    const usable = this.recent.length > 1 ? this.recent.slice(this.first) : this.recent;
    const sorted = [...usable].sort((a, b) => a - b);
    return sorted[sorted.length >> 1] ?? 0;
  }

  add(elapsedMs: number): void {
    this.recent.push(elapsedMs);
    if (this.recent.length <= RECENT) return;
    this.recent.shift();
    this.first = 0;
  }
}

export class WorkClock {
  private workedMs: number;
  private since: number;
  private readonly steps = new UsualTime();

  /** @param beforeMs worked before, in an earlier part of the run */
  constructor(
    beforeMs: number,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.workedMs = beforeMs;
    this.since = now();
  }

  /** Of work, up to now. */
  get elapsedMs(): number {
    this.tick();
    return this.workedMs;
  }

  /** Of a step; 0 before the first. */
  get stepMs(): number {
    return this.steps.ms;
  }

  step(elapsedMs: number): void {
    this.steps.add(elapsedMs);
    this.tick();
  }

  /** A pause. */
  async stoppedDuring<T>(pause: Promise<T>): Promise<T> {
    this.tick();
    try {
      return await pause;
    } finally {
      this.since = this.now();
    }
  }

  /** A sign of life: what lies behind it was work, unless it is too long for that. */
  tick(): void {
    const now = this.now();
    const stretch = now - this.since;
    this.since = now;
    const longest = Math.max(LONGEST_STRETCH_MS, LONGEST_STRETCH_STEPS * this.stepMs);
    this.workedMs += stretch <= longest ? stretch : Math.min(stretch, this.stepMs);
  }
}
