import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { renderChat, TextError, type ChatMessage } from '$lib/text';
import { byteLevel, expectTextError, metaspace, readFixture } from './fixtures';

interface Chats {
  readonly templates: Record<string, string>;
  readonly conversations: Record<string, ChatMessage[]>;
  readonly cases: readonly {
    template: string;
    conversation: string;
    prompt: boolean;
    text?: string;
    error?: string;
    says?: string;
  }[];
}
const { templates, conversations, cases } = readFixture('chats.json') as Chats;

const specialTokens = { bos_token: '<s>', eos_token: '<|im_end|>' };
const render = (template: string, messages: readonly ChatMessage[], prompt = false) =>
  renderChat({ chatTemplate: template, specialTokens }, messages, {
    addGenerationPrompt: prompt,
    date: new Date(2024, 6, 5),
  });

describe('chat template', () => {
  it.each(cases.filter((c) => c.text !== undefined))(
    'renders "$conversation" by "$template" as transformers does (prompt: $prompt)',
    ({ template, conversation, prompt, text }) => {
      expect(render(templates[template], conversations[conversation], prompt)).toBe(text);
    },
  );

  it.each(cases.filter((c) => c.error !== undefined))(
    'refuses "$conversation" by "$template" as transformers does (prompt: $prompt)',
    ({ template, conversation, prompt, says }) => {
      const escaped = (says ?? '').replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
      expectTextError(
        () => render(templates[template], conversations[conversation], prompt),
        'chat-template',
        new RegExp(`the model's chat template says: .*${escaped}`),
      );
    },
  );

  const hello: ChatMessage[] = [{ role: 'user', content: 'hello' }];

  it('takes the template and special tokens of a tokenizer', () => {
    expect(renderChat(byteLevel, hello, { addGenerationPrompt: true })).toBe(
      '<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n',
    );
    expectTextError(() => renderChat(metaspace, hello), 'no-chat-template', /no chat template/);
  });

  it('passes further variables', () => {
    const template = '{{ enable_thinking }} {{ tools | length }}';
    expect(renderChat(template, hello, { variables: { enable_thinking: false, tools: [1] } })).toBe(
      'false 1'.replace('false', renderChat('{{ x }}', hello, { variables: { x: false } })),
    );
  });

  it('ranges as Python does, within a budget', () => {
    const range = (args: string) =>
      render(`{% for i in range(${args}) %}{{ i }},{% endfor %}`, hello);
    expect(range('3')).toBe('0,1,2,');
    expect(range('1, 4')).toBe('1,2,3,');
    expect(range('5, 0, -2')).toBe('5,3,1,');
    expect(range('0')).toBe('');
    expectTextError(() => range('1000000000000'), 'chat-template', /range\(\) of more than 100000/);
    expectTextError(() => range('0, 1, 0'), 'chat-template', /must not be zero/);
    const nested = '{% for i in range(1000) %}{% for j in range(1000) %}{% endfor %}{% endfor %}';
    expectTextError(() => render(nested, hello), 'chat-template', /range\(\) of more than/);
  });

  it('refuses a template that is a book', () => {
    expect(render('x'.repeat(500_000), hello)).toHaveLength(500_000);
    expectTextError(() => render('x'.repeat(500_001), hello), 'too-large', /500001 characters/);
  });

  it('does not let a template reach the page', () => {
    for (const expression of ['constructor', 'globalThis', 'process', 'messages.constructor']) {
      expect(render(`{{ ${expression} is defined }}`, hello).toLowerCase()).toBe('false');
    }
  });

  it('survives mutated templates', () => {
    const junk = fc.constantFrom(
      '',
      '{%',
      '%}',
      '{{',
      '}}',
      '|',
      "'",
      'for',
      '[',
      ')',
      '0',
      'None',
      '~',
    );
    const edits = fc.array(fc.tuple(fc.nat(3000), junk, fc.nat(12)), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(fc.constantFrom(...Object.values(templates)), edits, (template, changes) => {
        let mutated = template;
        for (const [at, insert, drop] of changes) {
          const i = at % template.length;
          mutated = mutated.slice(0, i) + insert + mutated.slice(i + drop);
        }
        try {
          expect(typeof render(mutated, conversations['two turns'], true)).toBe('string');
        } catch (error) {
          if (!(error instanceof TextError)) throw error;
        }
      }),
      { numRuns: 1000 },
    );
  });
});
