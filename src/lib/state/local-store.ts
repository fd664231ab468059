/** Small settings in localStorage. A browser that refuses storage gets the defaults and no error. */
export function readLocal<Value>(key: string, fallback: Value): Value {
  try {
    const text = localStorage.getItem(`inkstone.${key}`);
    return text === null ? fallback : (JSON.parse(text) as Value);
  } catch {
    return fallback;
  }
}

export function writeLocal(key: string, value: unknown): void {
  try {
    localStorage.setItem(`inkstone.${key}`, JSON.stringify(value));
  } catch {
    // Full or forbidden: the value lives as long as the tab.
  }
}

export function clearLocal(): void {
  try {
    for (const key of Object.keys(localStorage))
      if (key.startsWith('inkstone.')) localStorage.removeItem(key);
  } catch {
    // Nothing was ever kept.
  }
}
