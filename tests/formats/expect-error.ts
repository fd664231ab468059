/** How a refusal is checked. What mutations of a good file do to the parsers is tests/fuzz's affair. */
import { expect } from 'vitest';
import { FormatError } from '$lib/formats';

export function expectFormatError(action: () => unknown, code: string, says: RegExp): void {
  const thrown = catchError(action);
  expect(thrown).toBeInstanceOf(FormatError);
  expect((thrown as FormatError).message).toMatch(says);
  expect((thrown as FormatError).code).toBe(code);
}

/** What an action throws, undefined where it throws nothing. */
export function catchError(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}
