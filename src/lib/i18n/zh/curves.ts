/** Curves of a run, laying runs over each other, and a run's card. */
const n = (value: number) => value.toLocaleString('zh-CN');

export const curves = {
  raw: '实测损失',
  smoothed: '平滑后',
  evalLoss: '评测损失',
  tokenAccuracy: '词元准确率',
  latestEvaluation: (value: string) => `最近一次评测的值：${value}`,
  highest: (value: string, step: number) => `；最高 ${value}，在第 ${n(step)} 步`,
  lowestEvalLoss: (value: string, step: number) => `评测损失最低 ${value}，在第 ${n(step)} 步。`,
  epoch: '轮数',
  latest: (value: string) => `最近一步的值：${value}`,
  log: '对数刻度',
  logHint: '差几个数量级的变化也看得清。',

  compareTick: '比较',
  compareTickRun: (name: string) => `比较：${name}`,
  compareHint: (count: number) =>
    count === 0
      ? '勾选两到四次训练，就能把损失曲线叠在一起看。'
      : count === 1
        ? '再勾选一次训练。'
        : `正在比较 ${n(count)} 次训练。`,
  compareTitle: '比较',
  compareClear: '不再比较',
  compareSummary: (count: number, evals: boolean) =>
    `${n(count)} 次训练的损失，叠在一起${evals ? '；圆圈是各次评测的损失' : ''}。`,
  showEvals: '显示评测损失',
  evalLossOf: (name: string) => `${name}：评测损失`,
  compareDiffers: '结果和不同之处',
  compareSame: '这几次训练的设置完全相同。',
  setting: '设置',
  model: '模型',
  data: '数据',
  method: '方法',
  lastLoss: '最后的损失',
  bestEvalLoss: '最低的评测损失',
  endsWith: '最终采用',
  endsWithBest: (step: number) => `第 ${n(step)} 步（最佳）`,
  lastEvalLoss: '最后的评测损失',
  bestTokenAccuracy: '最高的词元准确率',
  meanSpeed: '平均速度',
  timeTaken: '用时',
  trainable: '可训练参数',
  absent: '–',

  saveCard: '保存训练卡片（JSON）',
  saveCardHint: '模型、数据指纹、全部参数、设备和记录都在里面，便于留存和复现。',
  saveState: '保存 trainer_state.json',
  saveStateHint: (step: number) =>
    `Hugging Face Trainer 的训练记录，到最新的检查点（第 ${step} 步）为止：按 logging_steps 取平均的损失，以及各次评测。`,
};
