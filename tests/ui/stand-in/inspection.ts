/** A look at made-up data: the samples are clean, a person's own data has something of everything. */
import type {
  DataInspection,
  EngineApi,
  InspectRequest,
  LeaveOut,
  RowPreview,
} from '../../../src/lib/rpc/engine-api';
import { countParts } from '../../../src/lib/text/split-text';
import { rowsOf } from './fixtures';

export type PreviewInput = Parameters<EngineApi['previewRow']>[0];

const HELD_BACK = 60;

/** A hill with a tail, and a few long rows in data of one's own. */
function lengthsOf(rowCount: number, own: boolean): number[] {
  return Array.from({ length: rowCount }, (_, i) => {
    const spread = Math.abs(Math.sin(i * 12.9898) * 43758.5453) % 1;
    const hill = 18 + 44 * spread * spread + 14 * (Math.abs(Math.sin(i * 4.1)) % 1);
    return Math.round(own && i % 9 === 4 ? 540 + 40 * (i % 5) : own ? 5 * hill : hill);
  });
}

export function inspect(request: InspectRequest, rowCount: number): DataInspection {
  const { datasetId, evalDatasetId, evalShare, maxLength, leaveOut = [], splitLongText } = request;
  const own = !/^(medical|customer)/.test(datasetId);
  const held = evalDatasetId ? HELD_BACK : Math.round(evalShare * rowCount);
  const lengths = lengthsOf(evalDatasetId ? rowCount : rowCount - held, own);
  const isSplit = splitLongText && datasetId.endsWith('.txt');
  const longest = Math.max(...lengths);
  const width = own ? 32 : 4;
  const bars = Array.from({ length: Math.ceil(longest / width) }, (_, i) => {
    const inside = lengths.filter((n) => n > i * width && n <= (i + 1) * width);
    return {
      ...{ from: i * width + 1, to: (i + 1) * width, rows: inside.length },
      cutRows: isSplit ? 0 : inside.filter((n) => n > maxLength).length,
    };
  });
  const finding = (rows: DataInspection['findings'][LeaveOut]['rows']) => ({
    count: rows.length,
    rows,
  });
  const duplicates = own ? [7, 12, 31].map((index) => ({ index, like: index - 5 })) : [];
  const empty = own ? [{ index: 17 }] : [];
  const leaked = own && held > 0 ? [{ index: 3, like: 20 }] : [];
  const long = lengths.filter((tokens) => tokens > maxLength);
  const parts = long.reduce((sum, tokens) => sum + countParts(tokens, maxLength), 0);
  const cut = isSplit
    ? []
    : lengths.flatMap((tokens, index) => (tokens > maxLength ? [{ index, tokens }] : []));
  const gone = (what: LeaveOut, rows: readonly unknown[]) =>
    leaveOut.includes(what) ? rows.length : 0;
  return {
    rowCount,
    trainRows:
      lengths.length - gone('duplicates', duplicates) - gone('empty', empty) - gone('cut', cut),
    splitTexts: { rows: isSplit ? long.length : 0, parts: isSplit ? parts : 0, maxLength },
    evalRows: held - gone('leaked', leaked),
    maxLength,
    lengths: {
      ...{ bars, hasTail: false, longest },
      median: [...lengths].sort((a, b) => a - b)[Math.floor(lengths.length / 2)],
    },
    uncutLength: longest,
    findings: {
      duplicates: finding(duplicates),
      empty: finding(empty),
      cut: finding(cut),
      leaked: finding(leaked),
    },
  };
}

/** A row in made-up tokens: two Chinese characters, a word, a sign. */
export function preview(input: PreviewInput): RowPreview {
  const { datasetId, index, maxLength, trainOnPrompt, splitLongText } = input;
  const row = rowsOf(datasetId)[index % 5];
  const split = (text: string, hasLoss: boolean) =>
    (text.match(/[\p{Script=Han}]{1,2}|[\w]+|\s+|./gu) ?? []).map((text) => ({ text, hasLoss }));
  const tokens = [
    ...split(`### 指令:\n${row.instruction}\n\n### 输出:\n`, trainOnPrompt),
    ...split(row.output, true),
  ];
  const isSplit = splitLongText === true && datasetId.endsWith('.txt');
  const truncated = !isSplit && tokens.length > maxLength;
  return {
    ...row,
    ...{ tokens: tokens.slice(0, maxLength), truncated, answerCut: truncated },
    fullLength: tokens.length,
    parts: isSplit ? countParts(tokens.length, maxLength) : 1,
  };
}
