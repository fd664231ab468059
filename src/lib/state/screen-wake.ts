/**
 * Keeps the screen on while a run goes, where the browser can. The lock is lost with a hidden tab, and at any other
 * moment that the system chooses (a low battery); what is said follows it, and it is asked for again when the page is
 * next seen.
 */
export class ScreenWake {
  #lock: WakeLockSentinel | undefined;
  #wanted = false;
  #asking = false;
  #onChange: (awake: boolean) => void;

  constructor(onChange: (awake: boolean) => void) {
    this.#onChange = onChange;
  }

  async hold(): Promise<void> {
    this.#wanted = true;
    document.addEventListener('visibilitychange', this.#again);
    await this.#request();
  }

  async release(): Promise<void> {
    this.#wanted = false;
    document.removeEventListener('visibilitychange', this.#again);
    const lock = this.#lock;
    this.#lock = undefined;
    this.#onChange(false);
    await lock?.release();
  }

  #again = (): void => {
    const isSeen = document.visibilityState === 'visible';
    if (this.#wanted && isSeen && !this.#lock && !this.#asking) void this.#request();
  };

  async #request(): Promise<void> {
    this.#asking = true;
    try {
      const lock = await navigator.wakeLock?.request('screen');
      if (!this.#wanted) return void (await lock?.release());
      this.#lock = lock;
      lock?.addEventListener('release', () => this.#lost(lock), { once: true });
      this.#onChange(lock !== undefined);
    } catch {
      // Low battery or no permission: the run goes on, the screen may go dark.
      this.#onChange(false);
    } finally {
      this.#asking = false;
    }
  }

  /** An older lock that goes says nothing of the one that is held. */
  #lost(lock: WakeLockSentinel): void {
    if (this.#lock !== lock) return;
    this.#lock = undefined;
    this.#onChange(false);
  }
}
