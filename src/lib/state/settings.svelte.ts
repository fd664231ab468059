/** Language, theme and how curves are drawn, as the person chose them. static/theme.js reads the same keys before the first paint. */
import type { LocaleChoice } from '../i18n';
import { readLocal, writeLocal } from './local-store';

export const THEMES = ['system', 'light', 'night'] as const;
export type Theme = (typeof THEMES)[number];

interface Saved {
  locale: LocaleChoice;
  theme: Theme;
  logAxis: boolean;
}

class Settings {
  #saved = $state<Saved>({
    locale: 'system',
    theme: 'system',
    logAxis: false,
    ...readLocal('settings', {}),
  });

  get locale(): LocaleChoice {
    return this.#saved.locale;
  }
  set locale(locale: LocaleChoice) {
    this.#saved.locale = locale;
    this.#save();
  }
  get theme(): Theme {
    return this.#saved.theme;
  }
  set theme(theme: Theme) {
    this.#saved.theme = theme;
    this.#save();
  }

  get logAxis(): boolean {
    return this.#saved.logAxis;
  }
  set logAxis(on: boolean) {
    this.#saved.logAxis = on;
    this.#save();
  }

  #save(): void {
    writeLocal('settings', $state.snapshot(this.#saved));
  }
}

export const settings = new Settings();
