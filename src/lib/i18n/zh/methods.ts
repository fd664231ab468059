/** Methods, presets and the guide that leads to a method. */
export const methods = {
  legend: '训练方法',
  cards: {
    lora: {
      title: 'LoRA',
      code: 'LORA',
      line: '在选定的层旁边训练两个小矩阵，文件约为模型的百分之一。拿不准就用它。',
    },
    dora: {
      title: 'DoRA',
      code: 'use_dora',
      line: '在 LoRA 之外再为每行权重训练一个大小，文件只大一点，每步更慢。LoRA 差一口气时用。',
    },
    ia3: {
      title: 'IA3',
      code: 'IA3',
      line: '只给键、值和前馈层各训练一组倍率，文件只有几十 KB。数据少、设备紧时用。',
    },
    prefix: {
      title: '前缀微调',
      code: 'PREFIX_TUNING',
      line: '在每层前面训练几个虚拟词元，权重不动，文件很小。模型本来就会、只需引导时用。',
    },
    full: {
      title: '全参数微调',
      code: 'FULL',
      line: '训练每一个参数，文件和模型一样大，显存要好几倍。数据多、任务专、设备强时用。',
    },
  },
  rateHint: (general: string, method: string, low: string, high: string) =>
    `${general}${method} 常用 ${low} 到 ${high}。`,
  rateOffer: (method: string, suggested: string, current: string) =>
    `${method} 的学习率通常从 ${suggested} 起步，现在填的是 ${current}。`,
  rateUse: (rate: string) => `改为 ${rate}`,
  fourBit: {
    word: '4 位底模',
    on: (method: string) =>
      `${method === 'LoRA' ? 'QLoRA：LoRA' : method} 训练在 4 位底模上（load_in_4bit），省下大部分底模的显存，每步略慢。`,
    turnOff: '关闭 4 位底模',
    off: '4 位底模已关闭，底模按原来的精度参与训练。',
  },

  presetsTitle: '现成的配方',
  presetsHint: '只改这里写明的几项和学习率走势，其余照旧。',
  presets: {
    quick: { title: '快速', line: '秩 8，只训练 q、v，1 轮。先看看行不行。' },
    balanced: { title: '均衡', line: '常用配方：秩 16，只训练 q、v，3 轮，线性下降。' },
    quality: { title: '精细', line: '秩 32，全部线性层，5 轮，余弦下降，预热 0.03。' },
  },

  guide: {
    title: '帮我选方法',
    step: (step: number, all: number) => `第 ${step} 问，共 ${all} 问`,
    questions: {
      task: '要做的事是通用的，还是专门的？',
      data: '数据多不多？',
      device: '设备宽裕吗？',
    },
    answers: {
      general: { title: '通用', line: '改写、摘要、语气、格式：模型大概已经会一些。' },
      special: { title: '专门', line: '行业知识、自家术语、模型没见过的任务。' },
      little: { title: '少', line: '几十到几百条。' },
      much: { title: '多', line: '几千条以上。' },
      scarce: { title: '紧', line: '手机、轻薄本、集成显卡，或者模型相对设备很大。' },
      rich: { title: '宽裕', line: '独立显卡或大内存，模型的几倍也放得下。' },
    },
    advice: {
      prompting: {
        title: '先不训练：把提示写好',
        reason:
          '通用的事模型多半已经会，数据又少。在对话里写清要求，再附上两三个例子，常常就够了；不够再来训练。',
      },
      prefix: {
        title: '前缀微调',
        reason: '模型本来就会，只需引导：前缀从少量例子里学会这种引导，权重一点不动。',
      },
      ia3: {
        title: 'IA3',
        reason: '数据少时参数越少越不容易死记硬背；IA3 的参数最少，占的显存也最少。',
      },
      lora: {
        title: 'LoRA',
        reason: '学得够多，又只占一小份显存和存储，原来的模型随时可以换回来。',
      },
      qlora: {
        title: 'QLoRA',
        reason: '任务专、数据多，需要 LoRA 加在所有层上；设备紧，就让不训练的权重只占四位。',
      },
      full: {
        title: '全参数微调',
        reason: '任务专、数据多、设备也放得下：让每个参数都学，上限最高。',
      },
    },
    fourBit: '会填好全部线性层的 LoRA，并打开 load_in_4bit，让基础模型只占四位。',
    announce: (title: string) => `建议：${title}`,
    filled: (method: string, epochs: number) => `已在配方里选好 ${method}，训练 ${epochs} 轮。`,
    next: '下一步',
    back: '上一步',
    restart: '重新选',
    fill: '填进配方',
    openChat: '去对话里试提示',
  },
};
