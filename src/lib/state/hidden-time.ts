/** How long a page was in the background at a stretch. Browsers slow what they do not show. */
export class HiddenTime {
  #since: number | undefined;
  #onReturn: (hiddenMs: number) => void;
  #onHide: () => void;

  /**
   * @param onReturn told on each return how long the page was away
   * @param onHide told when the page goes, which on a phone may be for good
   */
  constructor(onReturn: (hiddenMs: number) => void, onHide: () => void) {
    this.#onReturn = onReturn;
    this.#onHide = onHide;
  }

  watch(): void {
    this.#since = document.hidden ? Date.now() : undefined;
    document.addEventListener('visibilitychange', this.#note);
  }

  stop(): void {
    document.removeEventListener('visibilitychange', this.#note);
    this.#since = undefined;
  }

  #note = (): void => {
    if (document.hidden) {
      this.#since ??= Date.now();
      this.#onHide();
    } else if (this.#since !== undefined) {
      this.#onReturn(Date.now() - this.#since);
      this.#since = undefined;
    }
  };
}
