/** Keeps the screen on while a run goes, where the browser can. A hidden tab loses the lock; it is asked for again. */
export class ScreenWake {
  #lock: WakeLockSentinel | undefined;
  #wanted = false;
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
    await this.#lock?.release();
    this.#lock = undefined;
    this.#onChange(false);
  }

  #again = (): void => {
    if (this.#wanted && document.visibilityState === 'visible') void this.#request();
  };

  async #request(): Promise<void> {
    try {
      const lock = await navigator.wakeLock?.request('screen');
      if (!this.#wanted) return void (await lock?.release());
      this.#lock = lock;
      this.#onChange(lock !== undefined);
    } catch {
      // Low battery or no permission: the run goes on, the screen may go dark.
      this.#onChange(false);
    }
  }
}
