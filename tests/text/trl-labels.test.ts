/**
 * Ids and labels against TRL's SFTTrainer, row by row, whole and cut at max_length: prompt and completion with bos and
 * without, plain text, conversations in templates that mark answers and in one that TRL marks itself.
 *
 * Plan: the same ids and labels; a row that TRL leaves out is one of which ours says that no answer is left; and,
 * each shown as it is, where ours is another on purpose:
 * - white space behind the eos of an answer bears no loss, where TRL's completions and its own templates have it learned;
 * - nor does the line break before an answer, which inference gives as part of the prompt; TRL's own templates have it;
 * - turns after the last answer are dropped, since nothing is learned there; TRL keeps them without loss;
 * - where a token would reach over the border of prompt and completion both are encoded apart, as inference does; TRL
 *   encodes the whole and counts the prompt's tokens off, with a warning.
 * Where a template closes an answer with other than eos, ours has eos at the row's end: encode-row.test.ts.
 */
import { describe, expect, it } from 'vitest';
import { readDataset } from '$lib/formats';
import { encodeRow, IGNORED_LABEL } from '$lib/text';
import { readJson } from '../goldens';
import { openFixture, withTemplate } from './fixtures';

interface Prepared {
  readonly input_ids: number[];
  readonly labels: number[];
}

interface Case {
  readonly name: string;
  readonly tokenizer: string;
  readonly chat_template: string | null;
  readonly max_length: number;
  /** As in a file, and what the model gets of it in TRL; null where the trainer leaves the row out. */
  readonly rows: readonly ({ readonly expected: Prepared | null } & Record<string, unknown>)[];
}

const CASES = readJson<Case[]>('labels.json');
const casesOf = (...names: string[]) => CASES.filter(({ name }) => names.includes(name));

/** Each row of a case as ours and as TRL's. */
function pairs({ tokenizer: name, chat_template, max_length, rows }: Case) {
  const tokenizer = withTemplate(openFixture(name), chat_template ?? undefined);
  return rows.map(({ expected, ...record }) => {
    const read = readDataset(JSON.stringify([record]), { fileName: 'rows.json' });
    expect(read.problems).toEqual([]);
    const [row] = read.rows;
    const options = { template: 'auto', maxLength: max_length, trainOnPrompt: false } as const;
    const encoded = encodeRow(row, tokenizer, options);
    const ours: Prepared = { input_ids: [...encoded.inputIds], labels: [...encoded.labels] };
    const decode = (ids: number[]) => tokenizer.decode(ids);
    return { ours, theirs: expected, encoded, decode };
  });
}

const bearsNoLoss = ({ labels }: Prepared) => labels.every((label) => label === IGNORED_LABEL);

/** Text of the tokens that bear loss in TRL and not in ours, each run of them apart. */
function onlyTheirs(ours: Prepared, theirs: Prepared, decode: (ids: number[]) => string) {
  const runs: number[][] = [];
  let before = -2;
  theirs.labels.forEach((label, i) => {
    if (label === ours.labels[i]) return;
    expect(ours.labels[i]).toBe(IGNORED_LABEL);
    if (before !== i - 1) runs.push([]);
    runs.at(-1)!.push(label);
    before = i;
  });
  return runs.map(decode);
}

describe('rows as TRL prepares them', () => {
  it.each(casesOf('completion', 'completion-bos', 'text', 'assistant-marked', 'assistant-bracket'))(
    'the same ids and labels: $name within $max_length',
    (one) => {
      for (const { ours, theirs, encoded } of pairs(one)) {
        if (theirs) expect(ours).toEqual(theirs);
        expect(bearsNoLoss(ours)).toBe(theirs === null);
        if (theirs === null) expect(encoded.answerCut).toBe(true);
      }
    },
  );

  it.each(casesOf('assistant-qwen2.5', 'conversational-completion'))(
    'the same ids, and of the labels only white space around answers is another: $name within $max_length',
    ({ name, ...one }) => {
      const found = new Set<string>();
      for (const { ours, theirs, decode } of pairs({ name, ...one })) {
        expect(bearsNoLoss(ours)).toBe(theirs === null);
        if (!theirs) continue;
        expect(ours.input_ids).toEqual(theirs.input_ids);
        const more = onlyTheirs(ours, theirs, decode);
        // TRL's Qwen template: before each answer and behind it, a cut end apart.
        expect(more.length).toBeLessThanOrEqual(name === 'assistant-qwen2.5' ? 4 : 1);
        more.forEach((text) => found.add(text));
      }
      expect([...found]).toEqual(['\n']);
    },
  );

  it.each(casesOf('assistant-open-end'))(
    'without what follows the last answer: $name within $max_length',
    (one) => {
      const [{ ours, theirs }] = pairs(one);
      const kept = ours.input_ids.length;
      expect(ours.input_ids).toEqual(theirs!.input_ids.slice(0, kept));
      expect(ours.labels).toEqual(theirs!.labels.slice(0, kept));
      expect(theirs!.labels.slice(kept).every((label) => label === IGNORED_LABEL)).toBe(true);
      if (one.max_length > 100) expect(theirs!.input_ids.length).toBeGreaterThan(kept);
    },
  );

  it('apart where a token reaches over the border of prompt and completion', () => {
    const [whole, cut] = casesOf('completion-across').map((one) => pairs(one)[0]);
    const learned = ({ labels }: Prepared) =>
      whole.decode(labels.filter((label) => label !== IGNORED_LABEL));
    // The first letter of the answer is within a token of the prompt's count, so that TRL does not teach it.
    expect(learned(whole.ours)).toBe('e quick<|im_end|>');
    expect(learned(whole.theirs!)).toBe(' quick<|im_end|>');
    expect(whole.decode(whole.ours.input_ids)).toBe(whole.decode(whole.theirs!.input_ids));
    for (const side of ['ours', 'theirs'] as const)
      for (const key of ['input_ids', 'labels'] as const)
        expect(cut[side]![key]).toEqual(whole[side]![key].slice(0, 7));
  });

  it('were cut in every way: within an answer, behind it, before any', () => {
    const cut = CASES.filter(({ max_length }) => max_length < 512).flatMap((one) => pairs(one));
    const whole = CASES.filter(({ max_length }) => max_length === 512).flatMap((one) => pairs(one));
    expect(cut).toHaveLength(whole.length);
    const kinds = cut.map(({ ours, encoded: { truncated, answerCut } }) =>
      bearsNoLoss(ours) ? 'none' : answerCut ? 'within' : truncated ? 'behind' : 'whole',
    );
    expect(new Set(kinds)).toEqual(new Set(['none', 'within', 'behind', 'whole']));
    expect(whole.some(({ encoded }) => encoded.truncated)).toBe(false);
  });
});
