/** Installing as an app, where the browser offers it. */
interface InstallPrompt extends Event {
  prompt(): Promise<{ outcome: 'accepted' | 'dismissed' }>;
}

class Install {
  offered = $state(false);
  installed = $state(false);
  #prompt: InstallPrompt | undefined;

  /** Call early: the browser makes its offer once. */
  watch(): void {
    this.installed = matchMedia('(display-mode: standalone)').matches;
    addEventListener('beforeinstallprompt', (event) => {
      event.preventDefault();
      this.#prompt = event as InstallPrompt;
      this.offered = true;
    });
    addEventListener('appinstalled', () => {
      this.installed = true;
      this.offered = false;
    });
  }

  async ask(): Promise<void> {
    const prompt = this.#prompt;
    this.#prompt = undefined;
    this.offered = false;
    await prompt?.prompt();
  }
}

export const install = new Install();
