/**
 * Small settings in localStorage. Older versions, other programs of this origin and the person may have
 * written there, so a value counts only once its shape has been read. A browser that refuses storage gives
 * the fallback and no error.
 */
const PREFIX = 'inkstone.';

/** @param shape gives what is sound of a value, or undefined */
export function readLocal<Value>(
  key: string,
  shape: (value: unknown) => Value | undefined,
  fallback: Value,
): Value {
  return readSaved(key, shape) ?? fallback;
}

/** Undefined where nothing is saved, or nothing sound. */
export function readSaved<Value>(
  key: string,
  shape: (value: unknown) => Value | undefined,
): Value | undefined {
  try {
    const text = localStorage.getItem(PREFIX + key);
    return text === null ? undefined : shape(JSON.parse(text) as unknown);
  } catch {
    return undefined;
  }
}

export function writeLocal(key: string, value: unknown): void {
  try {
    localStorage.setItem(PREFIX + key, JSON.stringify(value));
  } catch {
    // Full or forbidden: the value lives as long as the tab.
  }
}

export function clearLocal(): void {
  try {
    for (const key of Object.keys(localStorage))
      if (key.startsWith(PREFIX)) localStorage.removeItem(key);
  } catch {
    // Nothing was ever kept.
  }
}
