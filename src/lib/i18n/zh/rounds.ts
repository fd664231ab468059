/** Several rounds: a run that goes on from an adapter with new data. */
const n = (value: number) => value.toLocaleString('zh-CN');

export const rounds = {
  startFrom: '从哪里开始',
  base: '原模型',
  goOn: '用新数据继续训练',
  chosen: (name: string) => `接着“${name}”往下训练`,
  chosenBody: (method: string) =>
    `它学过的都会带上：方法和结构（${method}）不变，步数、学习率等可以再定。请选择新的数据；结果另存为一次新的训练，原来的不会改动。`,
  fromBase: '改为从原模型开始',
  lockedTitle: (method: string) => `方法随适配器：${method}`,
  startedFrom: (name: string, step: number | undefined) =>
    step === undefined ? `接着“${name}”训练` : `接着“${name}”第 ${n(step)} 步训练`,
};
