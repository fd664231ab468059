/** Tokenizers of tests/text/fixtures, and helpers that several tests share. */
import { existsSync, readFileSync } from 'node:fs';
import { expect } from 'vitest';
import {
  IGNORED_LABEL,
  loadTokenizer,
  TextError,
  type EncodedRow,
  type Tokenizer,
} from '$lib/text';

const at = (path: string) => new URL(`./fixtures/${path}`, import.meta.url);
const root = (path: string) => new URL(`../../${path}`, import.meta.url);

export const readFixture = (path: string): unknown => JSON.parse(readFileSync(at(path), 'utf8'));

export function openFixture(name: string): Tokenizer {
  return loadTokenizer({
    tokenizerJson: readFixture(`${name}/tokenizer.json`),
    tokenizerConfig: readFixture(`${name}/tokenizer_config.json`),
  });
}

/** ChatML, byte-level. */
export const byteLevel = openFixture('byte-level');
/** Llama 2's kind, with bos and no chat template. */
export const metaspace = openFixture('metaspace');

/** The bundled model's tokenizer, where the checkout has it. */
export function openNanoLm(): Tokenizer | undefined {
  const json = root('models/nano-lm/tokenizer.json');
  if (!existsSync(json)) return undefined;
  return loadTokenizer({
    tokenizerJson: readFileSync(json, 'utf8'),
    tokenizerConfig: readFileSync(root('models/nano-lm/tokenizer_config.json'), 'utf8'),
  });
}

/** The same tokenizer with another chat template. */
export const withTemplate = (
  tokenizer: Tokenizer,
  chatTemplate: string | undefined,
): Tokenizer => ({
  ...tokenizer,
  chatTemplate,
});

export function expectTextError(action: () => unknown, code: string, says: RegExp): void {
  let thrown: unknown;
  try {
    action();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(TextError);
  expect((thrown as TextError).message).toMatch(says);
  expect((thrown as TextError).code).toBe(code);
}

/** The text of the tokens that carry loss, spans parted by a bar. */
export function targets({ inputIds, labels }: EncodedRow, tokenizer: Tokenizer): string {
  const spans: number[][] = [];
  labels.forEach((label, i) => {
    if (label === IGNORED_LABEL) return;
    expect(label).toBe(inputIds[i]);
    if (i === 0 || labels[i - 1] === IGNORED_LABEL) spans.push([]);
    spans.at(-1)?.push(label);
  });
  return spans.map((ids) => tokenizer.decode(ids)).join('|');
}
