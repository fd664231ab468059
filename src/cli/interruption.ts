/** Ctrl+C and SIGTERM while there is something to lose: the first asks the work to end, a second ends the process. */

const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;
type Signal = keyof typeof EXIT_CODES;

/** A terminal sends Ctrl+C to every process of a command, and npm and our own parent pass it on: one press comes twice. */
const ONE_PRESS_MS = 500;

export class Interruption {
  private readonly controller = new AbortController();
  private came: { readonly signal: Signal; readonly atMs: number } | undefined;

  /** @param onFirst says what happens now */
  constructor(private readonly onFirst: () => void) {
    for (const signal of Object.keys(EXIT_CODES)) process.on(signal, this.listener);
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** As a shell has it: 128 and the signal's number. */
  get exitCode(): number | undefined {
    return this.came && EXIT_CODES[this.came.signal];
  }

  dispose(): void {
    for (const signal of Object.keys(EXIT_CODES)) process.off(signal, this.listener);
  }

  private readonly listener = (signal: NodeJS.Signals): void => {
    const atMs = Date.now();
    if (!this.came) {
      this.came = { signal: signal as Signal, atMs };
      this.onFirst();
      this.controller.abort();
    } else if (atMs - this.came.atMs > ONE_PRESS_MS) {
      this.dispose();
      process.kill(process.pid, signal);
    }
  };
}
