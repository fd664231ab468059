/** Looking at data before training: lengths, findings, and what to leave out. */
const n = (value: number) => value.toLocaleString('zh-CN');

/** A question in a remark: long ones are cut. */
const short = (text: string) => (text.length > 80 ? `${text.slice(0, 80)}…` : text);

export const data = {
  title: '训练前看一看',
  look: '看一看这份数据',
  lookHint: '多长才算长，要由模型的分词器来定。',
  measuring: '正在数词元',
  looking: '正在查看数据…',
  summary: (train: number, held: number, all: number) =>
    `共 ${n(all)} 条：${n(train)} 条用来学习，${n(held)} 条留作评测${
      all > train + held ? `，剔除 ${n(all - train - held)} 条` : ''
    }。`,
  summaryApart: (train: number, held: number, all: number) =>
    `共 ${n(all)} 条，${n(train)} 条用来学习；另有 ${n(held)} 条评测题。`,

  lengths: '每条有多长',
  lengthsSummary: (longest: number, median: number, maxLength: number) =>
    `一半的数据不超过 ${n(median)} 个词元，最长的有 ${n(longest)} 个；最大长度是 ${n(maxLength)}。`,
  lengthsEmpty: '没有可学习的数据。',
  barTokens: '词元数',
  barRange: (from: number, to: number) => (from === to ? n(from) : `${n(from)}–${n(to)}`),
  barTail: (from: number) => `${n(from)} 以上`,
  barRows: '条数',
  barCut: '回答被截断',
  barWhole: '回答完整',
  maxLength: (length: number) => `最大长度 ${n(length)}`,

  findings: '查到的问题',
  clean: '没有发现重复、空回答、截断或泄漏。',
  names: {
    duplicates: '重复',
    empty: '空回答',
    cut: '回答被截断',
    leaked: '评测题混进了训练数据',
  },
  found: {
    duplicates: (count: number) => `${n(count)} 条与前面的完全相同，会被多学几遍。`,
    empty: (count: number) => `${n(count)} 条的回答里没有可见的文字，模型会学着什么都不答。`,
    cut: (count: number, maxLength: number) =>
      `${n(count)} 条的回答超出最大长度 ${n(maxLength)}，后半截学不到，也学不会在哪里停下。`,
    leaked: (count: number) =>
      `${n(count)} 条评测题在训练数据里也有（不计大小写、全半角和空格），评测分数会偏高。`,
  },
  none: {
    duplicates: '没有重复',
    empty: '没有空回答',
    cut: '没有被截断的回答',
    leaked: '评测题没有混进训练数据',
  },
  notHeldBack: '没有留出评测题，不必比对',
  leaveOut: {
    duplicates: '剔除重复的数据',
    empty: '剔除空回答的数据',
    cut: '剔除被截断的数据',
    leaked: '评测时剔除混进去的题',
  },
  leaveOutHint: {
    duplicates: '每组只留最前面的一条。',
    empty: '这几条不参加训练，也不参加评测。',
    cut: '这几条不参加训练。',
    leaked: '它们仍参加训练，只是不再计入评测。',
  },
  leftOut: (names: readonly string[]) => `已剔除的数据：${names.join('、')}`,
  raise: (length: number) => `把最大长度提高到 ${n(length)}`,
  raiseHint: '显存会多用一些，开始之前会告诉你多少。',
  tooLong: '有的回答比这个模型能读的还长，只能缩短数据，或剔除这几条。',
  showRows: (count: number) => `查看这 ${n(count)} 条`,
  rowsOf: (name: string) => `${name}：数据`,
  rowsShown: (shown: number, all: number) => `列出前 ${n(shown)} 条，共 ${n(all)} 条。`,
  ofEvaluation: '评测题',
  sameAs: (row: number) => `与第 ${n(row)} 条相同`,
  asksLike: (row: number, question: string) => `训练数据第 ${n(row)} 条也问：${short(question)}`,
  tokensOf: (tokens: number, maxLength: number) => `${n(tokens)} 个词元，只用前 ${n(maxLength)} 个`,
  seeTokens: '查看词元',
  seeTokensOf: (row: number) => `查看第 ${n(row)} 条的词元`,
  splitInstead: '切成几段来学',
  splitInsteadHint: '从头到尾都会学到，步数会多一些。',
  previewSplit: (full: number, parts: number) =>
    `这段文本有 ${n(full)} 个词元，切成 ${n(parts)} 段来学；这里是第一段。`,
  previousRow: '上一条',
  nextRow: '下一条',
  goToRow: '第几条',
  previewCut: (full: number, kept: number) =>
    `这一条有 ${n(full)} 个词元，只用前 ${n(kept)} 个，回答不完整。`,
};
