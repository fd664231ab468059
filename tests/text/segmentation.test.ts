import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  characterOrWordTokens,
  detectLanguage,
  formatInstruction,
  splitSentences,
} from '$lib/text';

const texts = (text: string) => splitSentences(text).map((sentence) => sentence.text);

describe('sentences', () => {
  it('Chinese: full stops, questions, exclamations, with the quotes behind them', () => {
    expect(texts('今天下雨。你去吗?不去!')).toEqual(['今天下雨。', '你去吗?', '不去!']);
    expect(texts('他说:“走吧。”我们走了。')).toEqual(['他说:“走吧。”', '我们走了。']);
    expect(texts('真的……吗?!好。')).toEqual(['真的……吗?!', '好。']);
    expect(texts('没有标点的一句')).toEqual(['没有标点的一句']);
  });

  it('English: not after abbreviations, initials, decimals or inside names', () => {
    expect(texts('Dr. Smith paid $3.50. He left.')).toEqual(['Dr. Smith paid $3.50.', 'He left.']);
    expect(texts('See e.g. Fig. 3 of J. Doe et al. for more. Done.')).toEqual([
      'See e.g. Fig. 3 of J. Doe et al. for more.',
      'Done.',
    ]);
    expect(texts('Open example.org. Then wait...')).toEqual(['Open example.org.', 'Then wait...']);
    expect(texts('Why? "Because." Fine!')).toEqual(['Why?', '"Because."', 'Fine!']);
    expect(texts('It was I. Nobody else.')).toEqual(['It was I.', 'Nobody else.']);
  });

  it('mixed text, lists and line breaks', () => {
    expect(texts('He said hello. 他说你好。Bye.')).toEqual([
      'He said hello.',
      '他说你好。',
      'Bye.',
    ]);
    expect(texts('1. Open the page\n2. Close it')).toEqual(['1. Open the page', '2. Close it']);
    expect(texts('Title\n\nBody')).toEqual(['Title', 'Body']);
    expect(texts('  \n ')).toEqual([]);
    expect(texts('')).toEqual([]);
  });

  it('know their place, overlap nowhere and lose nothing but white space', () => {
    const piece = fc.constantFrom(
      '。',
      '.',
      '! ',
      '\n',
      ' ',
      '你好',
      'Dr. ',
      'A',
      '"',
      '”',
      '…',
      '3.5',
      '😀',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        const text = pieces.join('');
        let end = 0;
        for (const sentence of splitSentences(text)) {
          expect(text.slice(sentence.begin, sentence.end)).toBe(sentence.text);
          expect(text.slice(end, sentence.begin).trim()).toBe('');
          end = sentence.end;
        }
        expect(text.slice(end).trim()).toBe('');
      }),
    );
  });

  it('takes a time that grows with the text, not with its square', () => {
    for (const unit of ['1. ', '.', '"', 'a.b ', '。”', 'J. ', '\n']) {
      const started = performance.now();
      splitSentences(unit.repeat(200_000));
      expect(performance.now() - started).toBeLessThan(10_000);
    }
  });
});

describe('units for ROUGE', () => {
  it('are characters in Chinese and Japanese, lower-case words elsewhere', () => {
    expect(characterOrWordTokens('我爱Python编程!')).toEqual(['我', '爱', 'python', '编', '程']);
    expect(characterOrWordTokens("Don't stop, it's 3.5 km.")).toEqual([
      "don't",
      'stop',
      "it's",
      '3',
      '5',
      'km',
    ]);
    expect(characterOrWordTokens('ひらカナ 한국어')).toEqual(['ひ', 'ら', 'カ', 'ナ', '한국어']);
    expect(characterOrWordTokens('ＡＢＣ１２３ Ünïcode')).toEqual(['abc123', 'ünïcode']);
    expect(characterOrWordTokens('𠮷野')).toEqual(['𠮷', '野']);
    expect(characterOrWordTokens(' ,。!')).toEqual([]);
  });
});

describe('language', () => {
  it('is Chinese where at least a quarter of the letters are CJK', () => {
    for (const text of [
      '你好',
      '把 machine learning 翻译成中文',
      '计算 1 + 1',
      'PyTorch 怎么安装在电脑上',
    ]) {
      expect(detectLanguage(text)).toBe('zh');
    }
    for (const text of ['Hello', 'Translate 你好 into English', '', '123 !?', '😀']) {
      expect(detectLanguage(text)).toBe('en');
    }
  });
});

describe('instruction template', () => {
  it('has the same three blocks in both languages, the input left out when empty', () => {
    const row = { instruction: 'i', input: 'n', output: 'o' };
    expect(formatInstruction(row, 'zh')).toEqual({
      prompt: '### 指令:\ni\n\n### 输入:\nn\n\n### 输出:\n',
      completion: 'o',
    });
    expect(formatInstruction(row, 'en')).toEqual({
      prompt: '### Instruction:\ni\n\n### Input:\nn\n\n### Response:\n',
      completion: 'o',
    });
    expect(formatInstruction({ ...row, input: '' }, 'zh').prompt).toBe(
      '### 指令:\ni\n\n### 输出:\n',
    );
    expect(formatInstruction({ instruction: 'i' }, 'en')).toEqual({
      prompt: '### Instruction:\ni\n\n### Response:\n',
      completion: '',
    });
  });
});
