export { LOCALES, resolveLocale, type Locale, type LocaleChoice } from './locale';
export { createFormat, type Format } from './format';
export { explainError, type ErrorLike, type Explained } from './explain-error';
import { en } from './en';
import type { Locale } from './locale';
import { zh } from './zh';

export type Messages = typeof zh;
export const DICTIONARIES: Readonly<Record<Locale, Messages>> = { 'zh-CN': zh, en };
