/** Chat templates: programs from a stranger, which may not run for ever nor eat the memory. */
import { describe, expect, it } from 'vitest';
import { renderChat, TextError } from '$lib/text';
import { fuzzParser } from './fuzz-parser';
import { mutateText } from './mutate-text';

const MESSAGES = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: '你好 {{ messages }}' },
  { role: 'assistant', content: 'hello' },
] as const;

const CHAT_ML: string = `{%- for message in messages %}
  {{- '<|im_start|>' + message.role + '\\n' + message['content'] | trim + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}`;
const RICH: string = `{% set ns = namespace(n=0, last=messages[-1]) %}{% macro show(m, d=none) %}[{{ m.role|upper }}]{% endmacro %}
{% for m in messages if m.role != 'tool' %}{% set ns.n = ns.n + 1 %}{{ show(m) }}{{ m.content[:20]|tojson(indent=2) }}
{{ loop.index0 % 2 == 0 and 'a' or "b" ~ loop.last }}{% if m.role not in ['user', 'system'] %}{{ bos_token is defined }}
{% elif loop.first %}{{ raise_exception('no') if ns.n > 9 else range(1, 5, 2)|join(',') }}{% else %}{% break %}{% endif %}{% endfor %}
{{ {'a': [1, 2.5, true]}.items()|list|length }}{{ strftime_now('%d %b %Y') }}{{ 'x y'.split(' ')|reverse|first }}`;

const WORDS = [
  ...[
    '{{',
    '}}',
    '{%',
    '%}',
    '{%-',
    '-%}',
    '{#',
    '#}',
    '|',
    '~',
    '**',
    '*',
    '//',
    '%',
    '(',
    ')',
    '[',
  ],
  ...[']', '{', '}', ':', ',', '.', '=', '==', '!=', 'is not', 'not in', 'in', 'and', 'or', 'not'],
  ...[
    'messages',
    'loop',
    'ns',
    'namespace',
    'range(100000)',
    'range(0, 9, 0)',
    'm',
    'message.content',
  ],
  ...['for x in messages', 'endfor', 'if', 'elif', 'else', 'endif', 'set a = a + a', 'macro f()'],
  ...['endmacro', 'call f()', 'endcall', 'f()', 'break', 'continue', 'generation', 'endgeneration'],
  ...[
    '|tojson',
    '|join',
    '|list',
    "|replace('', 'xx')",
    "|map(attribute='role')",
    '|sort',
    '|string',
  ],
  ...[
    '|indent(99)',
    "|split('')",
    '|selectattr("role")',
    '|default(1)',
    '[::-1]',
    '[0:9:0]',
    '[-1]',
  ],
  ...['__proto__', 'constructor', 'self', '1e9', '9999999999', '0', '-1', 'none', 'true', '"', "'"],
];

const render = (template: string, maxMs = 300) =>
  renderChat({ chatTemplate: template, specialTokens: { bos_token: '<s>' } }, MESSAGES, { maxMs });

const refusal = (template: string): TextError => {
  try {
    render(template);
  } catch (error) {
    if (error instanceof TextError) return error;
    throw error;
  }
  throw new Error('it was rendered');
};

describe('hostile chat templates', () => {
  it('are refused by code, with their own words, or give a text', async () => {
    const counts = await fuzzParser({
      title: 'chat template',
      samples: [CHAT_ML, RICH],
      mutate: (random, template) => mutateText(random, template, WORDS),
      parse: (template) => render(template),
      check: (text) => expect(typeof text).toBe('string'),
    });
    expect(counts.accepted).toBeGreaterThan(1000);
    expect(Object.keys(counts.refused)).toEqual(
      expect.arrayContaining(['chat-template', 'too-large']),
    );
  });

  it('that nest loops, recurse, or double a text, a list or a list of lists come to an end; one turn of each passes', () => {
    const loop = (depth: number) =>
      `{% set l = range(99) %}${'{% for x in l %}'.repeat(depth)}.${'{% endfor %}'.repeat(depth)}`;
    const twice = (start: string, step: string, times: number, use = '{{ ns.a }}') =>
      `{% set ns = namespace(a=${start}) %}{% for i in range(${times}) %}{% set ns.a = ${step} %}{% endfor %}${use}`;
    const HOSTILE: readonly ((size: 'small' | 'large') => string)[] = [
      (size) => loop(size === 'small' ? 1 : 8),
      (size) =>
        `{% macro f(n) %}.{% if n > 0 %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(${size === 'small' ? 2 : 60}) }}`,
      (size) => twice('"ab"', 'ns.a + ns.a', size === 'small' ? 2 : 60),
      (size) => twice('[1, 2]', 'ns.a + ns.a', size === 'small' ? 2 : 60),
      (size) => twice('[1]', '[ns.a, ns.a]', size === 'small' ? 2 : 60),
      (size) =>
        twice('[1]', '{"a": ns.a, "b": ns.a}', size === 'small' ? 2 : 60, '{{ ns.a|tojson }}'),
      (size) => twice('"ab"', 'ns.a|replace("", ns.a)', size === 'small' ? 2 : 60),
      (size) => `{{ 'a'${' '.repeat(size === 'small' ? 100 : 400_000)}}}`,
    ];
    for (const template of HOSTILE) {
      expect(render(template('small'))).not.toBe('');
      const started = performance.now();
      expect(['chat-template', 'too-large']).toContain(refusal(template('large')).code);
      expect(performance.now() - started).toBeLessThan(10_000);
    }
  });

  it('that hide one namespace in another come to an end too', () => {
    const names = Array.from({ length: 40 }, (_, i) => `n${i}`);
    const made = names.map((name) => `{% set ${name} = namespace() %}`).join('');
    const list = '{% set all = [n0, n0] %}';
    const linked = names
      .slice(1)
      .map((name, i) => `{% set n${i}.a = ${name} %}{% set n${i}.b = ${name} %}`)
      .join('');
    expect(refusal(`${made}${list}${linked}{{ all|tojson }}`).code).toBe('chat-template');
    expect(refusal('{% set n = namespace() %}{% set n.n = n %}{{ n|tojson }}').code).toBe(
      'chat-template',
    );
    expect(render('{% set n = namespace(a=1) %}{{ n|tojson }}')).toBe('{"a": 1}');
  });

  it('render a conversation of thousands of turns in time', () => {
    const turns = Array.from({ length: 4000 }, (_, i) => MESSAGES[1 + (i % 2)]);
    expect(renderChat(CHAT_ML, turns).length).toBeGreaterThan(100_000);
    expect(renderChat(RICH.replace('{% break %}', ''), turns)).not.toBe('');
  });
});
