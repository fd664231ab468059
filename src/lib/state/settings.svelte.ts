/** Language, theme and how curves are drawn, as the person chose them. static/theme.js reads the same keys before the first paint. */
import type { LocaleChoice } from '../i18n';
import { shapeSettings, THEMES, type SavedSettings, type Theme } from './local-shapes';
import { readLocal, writeLocal } from './local-store';

export { THEMES, type Theme };

const UNTOUCHED: SavedSettings = { locale: 'system', theme: 'system', logAxis: false };

class Settings {
  #saved = $state<SavedSettings>({ ...readLocal('settings', shapeSettings, UNTOUCHED) });

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

  /** Where nothing was chosen here yet. */
  adopt(saved: SavedSettings): void {
    this.#saved = saved;
    this.#save();
  }

  #save(): void {
    writeLocal('settings', $state.snapshot(this.#saved));
  }
}

export const settings = new Settings();
