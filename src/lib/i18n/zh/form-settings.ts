/** The form's settings as a whole: saved, loaded, taken from an earlier run, set back. */
const n = (value: number) => value.toLocaleString('zh-CN');

export const formSettings = {
  actions: '整份设置',
  save: '保存设置',
  load: '载入设置',
  reset: '恢复默认',
  undo: '撤销',
  dropHere: '松手即可载入这份设置',
  useRun: '用这次的设置',
  useRunHint: '把这次训练的模型、数据、方法和全部参数填进上面的表单，可以再改。',
  saved: (fileName: string) =>
    `已存为 ${fileName}。在这里可以再载入，命令行的 train --config 也直接用它。`,
  loaded: (fileName: string) => `已按 ${fileName} 填好。`,
  loadedMethod: (fileName: string) => `已按 ${fileName} 填好方法；它没有写训练参数，这些照旧。`,
  loadedTraining: (fileName: string) => `已按 ${fileName} 填好训练参数；它没有写方法，方法照旧。`,
  usedRun: (name: string) => `已填入“${name}”的设置。`,
  methodStays: '方法随起步的适配器，没有改动。',
  missing: {
    model: (name: string) => `模型 ${name} 不在这台设备上，模型照旧。`,
    dataset: (name: string) => `数据“${name}”不在这台设备上，请另选一份。`,
    evalDataset: (name: string) => `评测数据“${name}”不在这台设备上，改从训练数据里留出一部分。`,
    adapter: (name: string) => `它接着“${name}”训练，那个适配器已不在，改从原模型开始。`,
  },
  unused: (count: number) => `文件里有 ${n(count)} 项没有用到：`,
  meant: (name: string, meant: string) => `${name}（应写作 ${meant}）`,
  separator: '、',
  end: '。',
  unusedDetails: '逐项说明',
  afresh: {
    recommended: '已恢复为这份样例调好的配方。',
    common: '已恢复常用配方。',
    adapter: '已恢复为适配器当初的训练参数。',
  },
  failed: { save: '没有保存', fill: '没有载入，表单没有改动' },
  undone: '已撤销，表单和之前一样。',
};
