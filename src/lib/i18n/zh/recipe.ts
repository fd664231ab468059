/** Plain words beside the names of PEFT and TrainingArguments, which stay as they are. */
export const recipe = {
  lead: '默认值是常用的配方，多数时候不用改。',
  recommended: '使用为这份样例调好的配方',
  recommendedOffer: '这份样例有一份调好的配方，自带的小模型用它学得最好。',
  recommendedOn: '正在使用为这份样例调好的配方。',
  common: '改用常用配方',
  paramsPending: '开始训练时会算出可训练的参数量。',
  groups: {
    main: '最常调的',
    more: '其余选项',
    method: '方法细节',
    pace: '步调',
    optimizer: '优化与显存',
    data: '数据',
    evaluation: '评测',
    saving: '记录与保存',
  },
  range: (min: string, max: string) => `可填 ${min} 到 ${max}`,
  invalid: (found: string, min: string, max: string) =>
    `填的是 ${found || '空'}，可填 ${min} 到 ${max}，请改正。`,
  whole: '整数',
  blocked: '配方里还有一处要改正。',
  conflicts: {
    needsEvaluation: (label: string) => `“${label}”要靠训练中的评测，而评测现在关着，请打开。`,
    otherRhythm: (saves: string, evaluates: string) =>
      `要在结束时取最好的检查点，保存须与评测同步：现在评测是“${evaluates}”，保存是“${saves}”。`,
    noMultiple: (saveSteps: string, evalSteps: string, fits: string) =>
      `要在结束时取最好的检查点，“每几步存一次”（${saveSteps}）须是“每几步评测”（${evalSteps}）的整数倍，例如 ${fits}。`,
    endAboveRate: (end: string, rate: string) => `末尾学习率（${end}）须低于学习率（${rate}）。`,
    nothingHeldBack: '训练中评测需要一些不参与训练的数据，请留出十分之一。',
    noF16: (label: string) => `已打开“${label}”，但这台设备不能做 16 位运算，请关闭它。`,
    packedPrefix: (label: string) =>
      `前缀微调要在每条样例前各放一份前缀，不能与“${label}”同时使用，请关闭它。`,
    oddRank: (label: string, rank: number, fits: number) =>
      `“${label}”选的是 orthogonal，秩须是偶数，而现在是 ${rank}；可以改成 ${fits}。`,
  },
  noTarget: '至少选一个模块，否则没有可训练的参数。',
  written: '下面的设置规定训练哪些层、怎样训练；表单无法显示，但它们照样生效：',
  dropWritten: '去掉它们',
  fields: {
    r: ['秩', '适配器的宽度：越大学得越多，文件也越大。'],
    lora_alpha: ['缩放', '适配器的力度，常取秩的两倍。'],
    lora_dropout: ['随机丢弃', '训练时随机略去一部分，防止死记硬背。'],
    target_modules: ['训练哪些层', '在哪些线性层上加适配器。'],
    feedforward_modules: ['其中缩放输入的层', '前馈层缩放输入，其余的层缩放输出。'],
    num_virtual_tokens: ['虚拟词元', '每层前面加几个，越多学得越多。'],
    init_lora_weights: [
      '从哪里起步',
      '第一步之前 A 和 B 取什么值。PiSSA、OLoRA 从权重本身分出来，起步更快；其余的随机抽取。只有 false 在学习之前就改变模型的回答，供试验用。',
    ],
    bias: ['偏置', '是否同时训练偏置。'],
    load_in_4bit: [
      '4 位底模',
      'QLoRA：底模的线性层压成 NF4，每个权重约 4.5 位，而不是 16 或 32 位；略慢。',
    ],
    optim: ['优化器', 'adamw_8bit 用 8 位保存动量，省显存。'],
    gradient_checkpointing: [
      '重算激活',
      '反向时重算每一层：显存少得多，时间多约三分之一；结果一模一样。',
    ],
    fp16: [
      '16 位乘法',
      '模型权重用 16 位相乘、32 位累加：许多显卡上更快，损失最多相差万分之几。在这台设备上是否划算，看下面的预计时间。',
    ],
    packing: ['拼接短样例', '把短的样例拼进一个序列，互不可见：填充更少，更快。'],
    group_by_length: ['按长度分组', '长短相近的样例放在一步里，填充更少。'],
    eval_strategy: ['训练中评测', '用留出的数据算损失和词元准确率。'],
    load_best_model_at_end: [
      '结束时取最好的检查点',
      '按评测损失选，也可换指标；评测和保存要同步。',
    ],
    use_rslora: ['秩稳定缩放', '秩很大时让力度更稳。'],
    learning_rate: ['学习率', '每一步迈多大。学不动就调大，损失乱跳就调小。'],
    per_device_train_batch_size: ['每批条数', '一次同时看几条；显存不够时先减它。'],
    gradient_accumulation_steps: ['累积批数', '攒几批再更新一次。'],
    num_train_epochs: ['轮数', '全部数据看几遍。'],
    max_steps: ['最多步数', '填 -1 则由轮数决定。'],
    lr_scheduler_type: ['学习率走势', '学习率随步数怎样变化。'],
    num_cycles: ['波数', '余弦在整个训练中起落几次；半个波就是只降一次。'],
    lr_end: ['末尾学习率', '最后降到多少，须低于学习率。'],
    power: ['幂次', '1 是直线下降；越大，先降得快、后降得慢。'],
    timescale: ['时间尺度', '过多少步学习率明显变小；填 0 则取预热的步数。'],
    min_lr: ['最低学习率', '学习率不会低于它；填 0 则由下面的比例决定。'],
    min_lr_rate: ['最低比例', '学习率不会低于原值的这一比例。'],
    warmup_lr_rate: ['起始比例', '预热从学习率的这一比例开始；填 0 则从第一步的份额开始。'],
    num_decay_steps: ['下降步数', '末尾用这么多步降下来。'],
    num_stable_steps: ['保持步数', '保持不变的步数；填 0 则是预热和下降之外的全部。'],
    min_lr_ratio: ['末尾比例', '降完之后还剩学习率的多少。'],
    warmup_type: ['预热的形状', '学习率怎样升起来。'],
    decay_type: ['下降的形状', '学习率怎样降下去。'],
    eval_on_start: ['开始前先评测', '第一步之前评测一次，好作对比。'],
    metric_for_best_model: [
      '以什么为准',
      '按哪个指标比较检查点、决定是否提前停止；词元准确率是模型把正确词元排在第一位的比例。',
    ],
    greater_is_better: ['高好还是低好', '损失越低越好，准确率越高越好；只有做试验才会反过来。'],
    logging_strategy: ['何时记录', '何时往 trainer_state.json 里记一次；这里的曲线每步都有。'],
    logging_first_step: ['记录第一步', '不必等到下一次记录。'],
    warmup_steps: ['预热步数', '开头用多少步让学习率慢慢升起来。'],
    warmup_ratio: ['预热比例', '预热占全部步数的比例；预热步数为 0 时才起作用。'],
    weight_decay: ['权重衰减', '让参数略向零收，防止过拟合。'],
    adam_beta1: ['一阶动量', '记住过去梯度的方向多久，常用 0.9。'],
    adam_beta2: ['二阶动量', '记住过去梯度的大小多久；训练后期损失乱跳时可调小。'],
    adam_epsilon: ['稳定项', '梯度接近零时让步子不至于失控，很少需要改。'],
    loraplus_lr_ratio: ['B 的倍率', 'LoRA+：B 矩阵用几倍的学习率；1 就是普通 LoRA。'],
    max_grad_norm: ['梯度裁剪', '梯度超过它就按比例缩小；填 0 则不裁剪。'],
    label_smoothing_factor: ['标签平滑', '目标里有这么一份平摊给整个词表，防止过分自信。'],
    neftune_noise_alpha: [
      '词向量噪声',
      '训练时给词向量加一点噪声（NEFTune），常取 5；填 0 则不加。',
    ],
    seed: ['随机种子', '同样的种子得到同样的结果。'],
    shuffle: ['打乱顺序', '每轮换一个顺序看数据。'],
    logging_steps: [
      '每几步记录',
      'trainer_state.json 里每条记录是这么多步损失的平均；这里的曲线每步都画。按步记录时才起作用，评测没有填步数时也用它。',
    ],
    save_strategy: ['何时存检查点', '存下来的检查点可以接着训练。'],
    save_steps: ['每几步存一次', '按步存检查点时才起作用。'],
    save_total_limit: [
      '留几个检查点',
      '超出的从最早的删起，但要求保留最佳时不删最佳的；0 表示全部留下。',
    ],
    per_device_eval_batch_size: ['评测每批条数', '训练中评测时一次看几条。'],
    eval_steps: ['每几步评测', '按步评测时才起作用；填 0 则与记录同步。'],
    early_stopping_patience: ['提前停止', '连续这么多次评测没有变好就停；填 0 则不提前停。'],
    early_stopping_threshold: [
      '变好的幅度',
      '指标至少好转这么多才算变好；准确率的 0.01 是一个百分点。',
    ],
    max_length: ['最大长度', '一条最多几个词元，超出的会被截掉；纯文本可以切分。'],
    train_on_prompt: ['题面也计入损失', '默认只学回答。'],
    split_long_text: [
      '切分长文本',
      '纯文本超过最大长度时，切成前后相接的几段，从头到尾都学到；有题面的数据不切。',
    ],
  } as Record<RecipeField, readonly [label: string, hint: string]>,
  choices: {
    linear: '线性下降',
    cosine: '余弦下降',
    constant: '不变',
    constant_with_warmup: '先预热',
    cosine_with_restarts: '反复下降',
    polynomial: '按幂下降',
    inverse_sqrt: '按 1/√步数 下降',
    cosine_with_min_lr: '降到最小值',
    cosine_warmup_with_min_lr: '先预热',
    warmup_stable_decay: '先升、保持、再降',
    epoch: '每轮一次',
    steps: '每隔几步',
    no: '只在最后',
    best: '每当创下最好',
    '1-sqrt': '按平方根',
    'warmup_type.linear': '直线',
    'warmup_type.cosine': '余弦',
    'decay_type.linear': '直线',
    'decay_type.cosine': '余弦',
    'logging_strategy.no': '不记录',
    'metric_for_best_model.none': '用到时才算',
    eval_loss: '评测损失',
    eval_mean_token_accuracy: '词元准确率',
    auto: '由指标决定',
    'greater_is_better.true': '越高越好',
    'greater_is_better.false': '越低越好',
    'init_lora_weights.true': 'PEFT 默认',
    gaussian: '正态分布，随秩变窄',
    orthogonal: 'A、B 都不为零，乘积为零',
    'init_lora_weights.false': '全部随机',
    pissa: '最大的奇异值',
    pissa_niter_4: '同上，近似求解，更快',
    olora: 'QR 分解',
    'eval_strategy.no': '不评测',
    adamw_torch: '32 位动量',
    adamw_8bit: '8 位动量',
    none: '不训练',
    all: '全部训练',
    lora_only: '只训练加了适配器的层',
  } as Record<string, string>,
  allLinear: '全部线性层（all-linear）',
};

export type RecipeField =
  | 'r'
  | 'lora_alpha'
  | 'lora_dropout'
  | 'target_modules'
  | 'feedforward_modules'
  | 'num_virtual_tokens'
  | 'init_lora_weights'
  | 'bias'
  | 'load_in_4bit'
  | 'optim'
  | 'gradient_checkpointing'
  | 'fp16'
  | 'packing'
  | 'group_by_length'
  | 'eval_strategy'
  | 'load_best_model_at_end'
  | 'use_rslora'
  | 'learning_rate'
  | 'per_device_train_batch_size'
  | 'gradient_accumulation_steps'
  | 'num_train_epochs'
  | 'max_steps'
  | 'lr_scheduler_type'
  | 'warmup_steps'
  | 'num_cycles'
  | 'lr_end'
  | 'power'
  | 'timescale'
  | 'min_lr'
  | 'min_lr_rate'
  | 'warmup_lr_rate'
  | 'num_decay_steps'
  | 'num_stable_steps'
  | 'min_lr_ratio'
  | 'warmup_type'
  | 'decay_type'
  | 'eval_on_start'
  | 'metric_for_best_model'
  | 'greater_is_better'
  | 'logging_strategy'
  | 'logging_first_step'
  | 'warmup_ratio'
  | 'weight_decay'
  | 'adam_beta1'
  | 'adam_beta2'
  | 'adam_epsilon'
  | 'loraplus_lr_ratio'
  | 'max_grad_norm'
  | 'label_smoothing_factor'
  | 'neftune_noise_alpha'
  | 'seed'
  | 'shuffle'
  | 'logging_steps'
  | 'save_strategy'
  | 'save_steps'
  | 'save_total_limit'
  | 'per_device_eval_batch_size'
  | 'eval_steps'
  | 'early_stopping_patience'
  | 'early_stopping_threshold'
  | 'max_length'
  | 'train_on_prompt'
  | 'split_long_text';
