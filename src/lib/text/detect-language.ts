/** Chinese or English, by what the letters are. Knows no other language: the page has these two. */
export type Language = 'zh' | 'en';

/** "Translate 你好 into English" is English (0.10), "把 machine learning 翻译成中文" Chinese (0.29). */
const CHINESE_SHARE = 0.25;

/** 'zh' where CJK characters are at least a quarter of all letters; 'en' where there are no letters. */
export function detectLanguage(text: string): Language {
  let cjk = 0;
  let letters = 0;
  for (const [letter] of text.matchAll(/\p{L}/gu)) {
    letters++;
    if (CJK_CHARACTER.test(letter)) cjk++;
  }
  return letters > 0 && cjk / letters >= CHINESE_SHARE ? 'zh' : 'en';
}

/** Characters written without blanks between words: Han, kana, bopomofo. */
export const CJK_CHARACTER =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Bopomofo}]/u;
