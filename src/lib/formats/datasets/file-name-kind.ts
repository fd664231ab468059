/** What a file's name says it is, for where its content alone does not tell a table from prose. */

/** Endings by what they promise; any other promises nothing. */
const ENDINGS: Readonly<Record<string, FileNameKind>> = {
  json: 'json',
  jsonl: 'json',
  ndjson: 'json',
  csv: 'table',
  tsv: 'table',
  txt: 'text',
  text: 'text',
  md: 'text',
  markdown: 'text',
  yaml: 'settings',
  yml: 'settings',
};

export type FileNameKind = 'json' | 'table' | 'text' | 'settings';

export function kindOfName(fileName: string): FileNameKind | undefined {
  const ending = /\.([a-z]+)$/i.exec(fileName)?.[1].toLowerCase() ?? '';
  return Object.hasOwn(ENDINGS, ending) ? ENDINGS[ending] : undefined;
}
