/** The few checks that the contracts need; they run where no test framework does. */

const show = (value: unknown): string =>
  JSON.stringify(value, (_key, inner: unknown) =>
    inner instanceof Uint8Array ? `bytes ${[...inner].join(' ')}` : inner,
  );

export function equal(found: unknown, expected: unknown): void {
  if (show(found) !== show(expected)) {
    throw new Error(`expected ${show(expected)}, found ${show(found)}`);
  }
}

/** Fails unless the promise rejects with this code, or with this name for what has no code. */
export async function rejects(promise: Promise<unknown>, code: string | RegExp): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    const { code: found, name } = error as { code?: unknown; name?: string };
    const matches = (value: unknown): boolean =>
      typeof code === 'string' ? value === code : typeof value === 'string' && code.test(value);
    if (!matches(found) && !matches(name)) {
      throw new Error(`expected ${String(code)}, found ${String(error)}`, { cause: error });
    }
    return error;
  }
  throw new Error(`expected ${String(code)}, but nothing was thrown`);
}

export interface Case<Subject> {
  title: string;
  run(subject: Subject): Promise<void>;
}
