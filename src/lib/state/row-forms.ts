/** What a person may say a row of their file is, and which columns each of these needs. */

export type RowForm = 'qa' | 'chat' | 'text' | 'tokens';
export type MappedField =
  | 'instruction'
  | 'input'
  | 'output'
  | 'system'
  | 'history'
  | 'messages'
  | 'text'
  | 'input_ids'
  | 'labels';
type Mapping = Readonly<Record<string, string | undefined>>;

export const ROW_FORMS: Readonly<
  Record<
    RowForm,
    { readonly fields: readonly MappedField[]; readonly needs: readonly MappedField[] }
  >
> = {
  qa: {
    fields: ['instruction', 'input', 'output', 'system', 'history'],
    needs: ['instruction', 'output'],
  },
  chat: { fields: ['messages', 'system'], needs: ['messages'] },
  text: { fields: ['text'], needs: ['text'] },
  tokens: { fields: ['input_ids', 'labels'], needs: ['input_ids'] },
};

/** In the order in which they are offered, and looked for. */
export const FORMS: readonly RowForm[] = ['qa', 'chat', 'text', 'tokens'];

/** Other names of a field, by which a file was read or a guess was made. */
const SAME_AS: Partial<Record<MappedField, string>> = {
  instruction: 'prompt',
  output: 'completion',
  messages: 'conversations',
};

/** The form that a mapping reads; where it reads none, a question and its answer. */
export function formOf(mapping: Mapping): RowForm {
  const column = (field: MappedField) => columnOf(mapping, field) !== '';
  return FORMS.find((form) => ROW_FORMS[form].needs.every(column)) ?? 'qa';
}

/** '' where the mapping has none. */
export const columnOf = (mapping: Mapping, field: MappedField): string =>
  mapping[field] ?? mapping[SAME_AS[field] ?? field] ?? '';

/** The columns chosen for a form, and those that are still to be chosen. */
export function readChoice(
  form: RowForm,
  mapping: Mapping,
): { readonly mapping: Record<string, string>; readonly missing: readonly MappedField[] } {
  const { fields, needs } = ROW_FORMS[form];
  const chosen = fields.map((field) => [field, columnOf(mapping, field)] as const);
  return {
    mapping: Object.fromEntries(chosen.filter(([, column]) => column !== '')),
    missing: needs.filter((field) => columnOf(mapping, field) === ''),
  };
}
