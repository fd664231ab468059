/**
 * Every number that was made for tests is read by one. Plan: what lies under reference/goldens is in the list below,
 * and nothing else is; the test file that the list names has the golden's name in it, or reads its whole group.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { goldenPath } from '../goldens';

/** Folders of cases; beside them lie single files. */
const GROUPS = ['arguments', 'methods', 'models', 'starts', 'training'];
const EVERY = '*';

/** By test file: what it reads, without `.json` and `.safetensors`. */
const READ: Readonly<Record<string, readonly string[]>> = {
  'config/lora-fields.test.ts': ['lora-fields'],
  'decoder/dora-dropout.test.ts': ['arguments/dora-dropout'],
  'decoder/goldens.test.ts': [
    ...['models/llama-tied', 'models/llama-untied-gqa', 'models/llama3-scaling'],
    ...['models/llama-old-spelling', 'models/llama-bias', 'models/mistral-sliding'],
    ...['models/qwen2', 'models/qwen2-untied', 'models/qwen3', 'models/llama-bf16'],
    ...['models/llama-f16', 'models/sharded', `starts/${EVERY}`],
  ],
  'decoder/single-pass.test.ts': [
    ...['arguments/segments-llama-untied-gqa', 'arguments/segments-mistral-sliding'],
    'arguments/neftune',
  ],
  'formats/nf4.test.ts': ['bitsandbytes', 'dynamic-map', 'nf4'],
  'kernels/adamw-8bit.test.ts': ['arguments/adamw-8bit'],
  'peft/drawn-starts.test.ts': ['drawn-starts'],
  'peft/lora-targets.test.ts': ['targets'],
  'text/trl-labels.test.ts': ['labels'],
  'training/argument-goldens.test.ts': [
    ...['adamw-8bit-run', 'cosine-with-restarts', 'early-stopping', 'early-stopping-threshold'],
    ...['eval-best', 'eval-epoch', 'group-by-length', 'label-smoothing', 'neftune-run'],
    ...['label-smoothing-accumulated', 'packing', 'polynomial', 'save-best'],
    ...['best-accuracy', 'logging-steps', 'logging-epoch', 'logging-epoch-eval-steps'],
    ...['second-round/first', 'second-round/second'],
  ].map((name) => `arguments/${name}`),
  'training/goldens.test.ts': [`training/${EVERY}`],
  'training/methods.test.ts': [`methods/${EVERY}`],
  'training/schedule.test.ts': ['schedules', 'schedules-more'],
};

/** For a reader of the folder, not for a test: README.md. */
const FOR_PEOPLE = ['models/precision'];

const withoutEnding = (name: string) => name.replace(/\.(json|safetensors)$/, '');

/** A case holds files; a folder of nothing but folders, beside its adapters, holds cases. */
function casesUnder(path: string): string[] {
  return readdirSync(goldenPath(path), { withFileTypes: true }).flatMap((entry) => {
    const inner = `${path}/${entry.name}`;
    if (!entry.isDirectory()) return [withoutEnding(inner)];
    const inside = readdirSync(goldenPath(inner), { withFileTypes: true });
    return inside.every((one) => one.isDirectory()) ? casesUnder(inner) : [inner];
  });
}

const goldens = readdirSync(goldenPath('.'), { withFileTypes: true }).flatMap((entry) =>
  entry.isDirectory() ? casesUnder(entry.name) : [withoutEnding(entry.name)],
);

const groupOf = (golden: string) => golden.split('/')[0];

/** Goldens that no entry names, and entries that name no golden. */
function compare(found: readonly string[], listed: readonly string[]) {
  const isListed = (golden: string) =>
    listed.includes(golden) || listed.includes(`${groupOf(golden)}/${EVERY}`);
  const isFound = (entry: string) =>
    found.some((golden) => golden === entry || `${groupOf(golden)}/${EVERY}` === entry);
  return {
    unread: found.filter((golden) => !isListed(golden)),
    gone: listed.filter((entry) => !isFound(entry)),
  };
}

/** Whether a test's text names what the list says it reads. */
function names(text: string, entry: string): boolean {
  const [group, ...rest] = entry.split('/');
  const name = rest.join('/');
  if (name === EVERY) return text.includes(`readdirSync(goldenPath('${group}'))`);
  const quoted = (value: string) => new RegExp(`['"\`/]${value}(\\.json|\\.safetensors)?['"\`/]`);
  return quoted(name || group).test(text);
}

describe('goldens', () => {
  const listed = [...Object.values(READ).flat(), ...FOR_PEOPLE];

  it('are in the list of what is read, and the list holds no others', () => {
    expect(goldens.length).toBeGreaterThan(60);
    expect([...new Set(goldens.filter((golden) => golden.includes('/')).map(groupOf))]).toEqual(
      GROUPS,
    );
    expect(compare(goldens, listed)).toEqual({ unread: [], gone: [] });
  });

  it.each(Object.entries(READ))('%s names what it reads', (test, entries) => {
    const path = fileURLToPath(new URL(`../${test}`, import.meta.url));
    expect(existsSync(path)).toBe(true);
    const text = readFileSync(path, 'utf8');
    expect(entries.filter((entry) => !names(text, entry))).toEqual([]);
  });

  it('control: a new case, a lost one and a test that stopped naming its own are found', () => {
    const more = [...goldens, 'arguments/new', 'methods/new', 'another'];
    expect(compare(more, listed)).toEqual({ unread: ['arguments/new', 'another'], gone: [] });
    const fewer = goldens.filter((golden) => golden !== 'nf4' && groupOf(golden) !== 'starts');
    expect(compare(fewer, listed).gone).toEqual(['starts/*', 'nf4']);
    expect(names("open('dora-dropout')", 'arguments/dora-dropout')).toBe(true);
    expect(names("open('dora')", 'arguments/dora-dropout')).toBe(false);
    expect(names("open('dora-dropout-more')", 'arguments/dora-dropout')).toBe(false);
    expect(names("readdirSync(goldenPath('methods'))", 'methods/*')).toBe(true);
    expect(names("readdirSync(goldenPath('training'))", 'methods/*')).toBe(false);
  });
});
