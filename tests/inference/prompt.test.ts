/**
 * Prompts. Plan:
 * - with a chat template: what the template renders, with the opening of the answer, no second bos
 * - without one: the ids that training put before the answer, for one turn and for several
 * - an empty conversation, or one that ends with an answer, is refused
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { encodePrompt } from '../../src/lib/inference/prompt';
import { encodeRow, loadTokenizer, renderChat } from '../../src/lib/text';

const nano = (file: string) =>
  readFileSync(fileURLToPath(new URL(`../../models/nano-lm/${file}`, import.meta.url)), 'utf8');
const tokenizerJson = nano('tokenizer.json');
const tokenizerConfig = JSON.parse(nano('tokenizer_config.json')) as Record<string, unknown>;
const bare = { ...tokenizerConfig, chat_template: undefined };
const TEMPLATE =
  '{% for m in messages %}[{{ m.role }}]{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}';
const chat = loadTokenizer({ tokenizerJson, tokenizerConfig: bare, chatTemplate: TEMPLATE });
const plain = loadTokenizer({ tokenizerJson, tokenizerConfig: bare });

const user = (content: string) => ({ role: 'user', content }) as const;
const assistant = (content: string) => ({ role: 'assistant', content }) as const;

describe('a prompt', () => {
  it('is what the chat template renders', () => {
    const messages = [user('你好'), assistant('您好'), user('2 + 2?')];
    const text = renderChat(chat, messages, { addGenerationPrompt: true });
    expect(text.endsWith('[assistant]')).toBe(true);
    expect(encodePrompt(chat, messages)).toEqual(chat.encode(text, { addSpecialTokens: false }));
  });

  it.each([
    ['one turn', [user('Add 3 and 4.')]],
    ['中文', [user('三加四等于几？')]],
    ['several turns', [user('Hello'), assistant('Hi'), user('What is 3 + 4?')]],
  ])('is what training saw before the answer: %s', (_name, messages) => {
    const trained = encodeRow({ kind: 'chat', messages: [...messages, assistant('7')] }, plain, {
      template: 'instruction',
      maxLength: 4096,
      trainOnPrompt: false,
    });
    const prompt = encodePrompt(plain, messages);
    expect(prompt.length).toBeGreaterThan(4);
    if (messages.length === 1)
      expect(prompt).toEqual([...trained.inputIds.subarray(0, trained.promptLength)]);
    else expect([...trained.inputIds.subarray(0, prompt.length)]).toEqual(prompt);
  });

  it.each([
    ['nothing', []],
    ['an answer at its end', [user('Hi'), assistant('Hello')]],
  ])('is refused for %s', (_name, messages) => {
    expect(() => encodePrompt(plain, messages)).toThrow(/must end with a question/);
  });
});
