/** The words and number formats of the language in use; components read `lang.t` and `lang.format`. */
import {
  createFormat,
  DICTIONARIES,
  explainError,
  resolveLocale,
  type Explained,
  type Format,
  type Locale,
  type Messages,
} from '../i18n';
import { settings } from './settings.svelte';

class Lang {
  readonly locale: Locale = $derived(
    resolveLocale(settings.locale, typeof navigator === 'undefined' ? [] : navigator.languages),
  );
  readonly t: Messages = $derived(DICTIONARIES[this.locale]);
  readonly format: Format = $derived(createFormat(this.locale));

  explain(error: unknown): Explained {
    return explainError(error, this.locale);
  }
}

export const lang = new Lang();
