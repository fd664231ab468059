/**
 * The library's interpreter with bounds on what one template may take. A template is foreign code: a
 * few of its characters can nest loops without an end, or double a text or a list until nothing is left.
 */
import { Interpreter, type Environment } from '@huggingface/jinja';

type Statement = Parameters<Interpreter['evaluate']>[0];
type Value = ReturnType<Interpreter['evaluate']>;

/** Four million characters or a million values: as much as the longest context windows hold. */
const MAX_WEIGHT = 2 ** 20;
const CHARS_PER_WEIGHT = 4;

export class BoundedInterpreter extends Interpreter {
  private readonly deadline: number;
  /** Lists and objects do not change once made; namespaces, and what holds one, do. */
  private readonly weights = new WeakMap<Value, number>();

  constructor(
    environment: Environment,
    private readonly maxMs: number,
  ) {
    super(environment);
    this.deadline = performance.now() + maxMs;
  }

  override evaluate(statement: Statement, environment: Environment): Value {
    if (performance.now() > this.deadline)
      throw new Error(`it has not come to an end after ${this.maxMs / 1000} seconds`);
    const value = super.evaluate(statement, environment);
    if (this.weigh(value).weight > MAX_WEIGHT)
      throw new Error('it makes a text or a list that is larger than any context window');
    return value;
  }

  /** Parts that writing the value out would visit: a shared one counts as often as it occurs. */
  private weigh(value: Value): { weight: number; isFixed: boolean } {
    const known = this.weights.get(value);
    if (known !== undefined) return { weight: known, isFixed: true };
    const { value: inner } = value;
    if (typeof inner === 'string')
      return { weight: 1 + inner.length / CHARS_PER_WEIGHT, isFixed: true };
    const parts = Array.isArray(inner) ? inner : inner instanceof Map ? inner.values() : undefined;
    if (!parts) return { weight: 1, isFixed: true };
    let weight = 1;
    let isFixed = value.type !== 'NamespaceValue';
    for (const part of parts) {
      const found = this.weigh(part);
      weight += found.weight;
      isFixed &&= found.isFixed;
      if (weight > MAX_WEIGHT) break;
    }
    if (isFixed) this.weights.set(value, weight);
    return { weight, isFixed };
  }
}
