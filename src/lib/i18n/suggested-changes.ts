/** A change of settings as an error's details carry it, `name=value, name=value`, in words. */

/** @param fields labels by name, as the form has them */
export function wordChanges(
  suggestion: string | number,
  fields: Readonly<Record<string, readonly string[] | undefined>>,
  word: (label: string, value: string) => string,
): string[] {
  return String(suggestion)
    .split(', ')
    .map((pair) => pair.split('='))
    .map(([name, value = '']) => word(fields[name]?.[0] ?? name, value));
}
