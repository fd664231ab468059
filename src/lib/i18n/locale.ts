/** Which language a person reads: their own choice, else the first of the browser's that we speak. */
export const LOCALES = ['zh-CN', 'en'] as const;
export type Locale = (typeof LOCALES)[number];
export type LocaleChoice = Locale | 'system';

export function resolveLocale(choice: LocaleChoice, languages: readonly string[]): Locale {
  if (choice !== 'system') return choice;
  for (const tag of languages) {
    if (/^zh\b/i.test(tag)) return 'zh-CN';
    if (/^en\b/i.test(tag)) return 'en';
  }
  return 'en';
}
