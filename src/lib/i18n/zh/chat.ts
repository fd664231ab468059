const n = (value: number) => value.toLocaleString('zh-CN');

export const chat = {
  title: '对话',
  lead: '同一个问题，原模型和微调后的模型并排作答。',
  model: '模型',
  adapter: '适配器',
  noAdapter: '只用原模型',
  noModels: '本机还没有模型，请先到“模型”页打开或导入一个。',
  baseColumn: '原模型',
  tunedColumn: '微调后',
  columns: '选择要看的回答',
  emptyTitle: '问点什么',
  emptyBody: '自带的 nano-lm 很小，只会几件事：短算术、从短文里找答案、判断语气、接着例子往下写。',
  suggestions: [
    '你好，你是谁？',
    '36 + 47 等于多少？请一步一步地想。',
    '判断情感，用JSON回答。\n这家餐厅的菜很好吃，推荐。',
    '阅读下面的内容，回答问题。\n孙磊住在伦敦。小浩住在莫斯科。\n问题：小浩住在哪里？',
  ],
  you: '你',
  model_: '模型',
  placeholder: '写下你的问题',
  send: '发送',
  sendHint: 'Enter 发送，Shift + Enter 换行',
  stop: '停止',
  clear: '清空对话',
  clearTitle: '清空这段对话？',
  clearBody: '对话只存在这台设备上，清空后无法找回。',
  exportChat: '导出对话',
  options: '生成选项',
  system: '系统提示（system prompt）',
  systemHint: '会放在对话最前面；留空则不用。',
  thinking: '正在作答…',
  waitingTurn: '等上一列答完…',
  stopped: '已停止',
  cutByLength: '已到长度上限',
  figures: (speed: string, first: string, tokens: number) =>
    `${speed} 词元/秒 · 首字 ${first} · ${n(tokens)} 个词元`,
  fields: {
    max_new_tokens: ['最多生成', '回答最长几个词元。'],
    temperature: ['温度', '0 表示每次都选最可能的；越大越随意。'],
    top_p: ['累积概率', '只从累积概率以内的候选里选。'],
    top_k: ['候选个数', '只从最可能的几个里选；0 表示不限。'],
    repetition_penalty: ['重复惩罚', '大于 1 会少说重复的话。'],
    seed: ['随机种子', '同样的种子得到同样的回答。'],
  } as Record<ChatField, readonly [string, string]>,
  answered: (column: string) => `${column}已答完`,
};

export type ChatField =
  'max_new_tokens' | 'temperature' | 'top_p' | 'top_k' | 'repetition_penalty' | 'seed';
