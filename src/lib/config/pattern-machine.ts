/**
 * Follows every way through an expression at once (Thompson 1968): a name is read once from left to right, so no
 * expression, however its repetitions nest, makes it go back. What is left, states times letters, is counted.
 */

/** Why an expression is not taken: a half-sentence that names what was found. */
export class PatternFlaw extends Error {}

export type PatternNode =
  | { readonly kind: 'letter'; readonly test: (code: number) => boolean }
  /** Reads nothing. */
  | { readonly kind: 'place'; readonly holds: (name: string, at: number) => boolean }
  | { readonly kind: 'ahead'; readonly part: PatternNode; readonly wanted: boolean }
  | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly PatternNode[] }
  /** @param max Infinity where it is open */
  | {
      readonly kind: 'repeat';
      readonly part: PatternNode;
      readonly min: number;
      readonly max: number;
    };

/** States that may still be entered, by all expressions that share it. */
export interface Effort {
  left: number;
}

/** Of one expression, repetitions written out; those that people write have some hundred. */
const MOST_PARTS = 2000;

interface State {
  test?: (code: number) => boolean;
  holds?: (name: string, at: number, effort: Effort) => boolean;
  next: number[];
}

const END = 0;

export class PatternMachine {
  private readonly states: State[] = [{ next: [] }];
  private readonly start: number;
  /** The place that a state was last entered at, counted on from name to name. */
  private readonly entered: Float64Array;
  private before = 1;

  /** @throws PatternFlaw */
  constructor(
    node: PatternNode,
    /** Parts that may still be made, of the whole expression. */
    private readonly room = { left: MOST_PARTS },
  ) {
    this.start = this.compile(node, END);
    this.entered = new Float64Array(this.states.length);
  }

  /**
   * @param starts places of the name that the expression may begin at
   * @param whole whether it must end where the name ends
   * @throws PatternFlaw where the effort is spent
   */
  run(name: string, starts: readonly number[], whole: boolean, effort: Effort): boolean {
    const { states, entered, before } = this;
    this.before += name.length + 1;
    const first = starts[0] ?? Infinity;
    let reading: number[] = [];
    const enter = (start: number, at: number, into: number[]) => {
      const waiting = [start];
      while (waiting.length > 0) {
        const index = waiting.pop()!;
        if (entered[index] === before + at) continue;
        entered[index] = before + at;
        if (--effort.left < 0) throw new PatternFlaw('takes too long to match');
        const { test, holds, next } = states[index];
        if (test) into.push(index);
        else if (!holds || holds(name, at, effort)) waiting.push(...next);
      }
    };
    for (let at = first; at <= name.length; at++) {
      if (starts.includes(at)) enter(this.start, at, reading);
      if (entered[END] === before + at && (!whole || at === name.length)) return true;
      const code = name.charCodeAt(at);
      const next: number[] = [];
      if (at < name.length)
        for (const index of reading)
          if (states[index].test!(code)) enter(states[index].next[0], at + 1, next);
      reading = next;
    }
    return false;
  }

  /** @returns the state that begins it, where `next` goes on */
  private compile(node: PatternNode, next: number): number {
    if (--this.room.left < 0) throw new PatternFlaw(`repeats more than ${MOST_PARTS} parts`);
    switch (node.kind) {
      case 'letter':
        return this.add({ test: node.test, next: [next] });
      case 'place':
        return this.add({ holds: node.holds, next: [next] });
      case 'ahead': {
        const { part, wanted } = node;
        const inner = new PatternMachine(part, this.room);
        const holds = (name: string, at: number, effort: Effort) =>
          inner.run(name, [at], false, effort) === wanted;
        return this.add({ holds, next: [next] });
      }
      case 'sequence':
        return node.parts.reduceRight((after, part) => this.compile(part, after), next);
      case 'choice':
        return this.add({ next: node.parts.map((part) => this.compile(part, next)) });
      case 'repeat':
        return this.repeat(node, next);
    }
  }

  private repeat(
    { part, min, max }: Extract<PatternNode, { kind: 'repeat' }>,
    next: number,
  ): number {
    let after = next;
    if (max === Infinity) {
      after = this.add({ next: [next] });
      this.states[after].next.push(this.compile(part, after));
    } else
      for (let i = min; i < max; i++) after = this.add({ next: [next, this.compile(part, after)] });
    // Each is counted, what reads nothing too: no bracket is repeated a billion times.
    for (let i = 0; i < min; i++) after = this.compile(part, after);
    return after;
  }

  private add(state: State): number {
    return this.states.push(state) - 1;
  }
}
