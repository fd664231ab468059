import type { methods as zh } from '../zh/methods';

export const methods: typeof zh = {
  legend: 'Method',
  cards: {
    lora: {
      title: 'LoRA',
      code: 'LORA',
      line: 'Trains two small matrices beside the chosen layers; a file of about a hundredth of the model. When in doubt, this one.',
    },
    dora: {
      title: 'DoRA',
      code: 'use_dora',
      line: 'LoRA, plus a trained magnitude for each row of a weight; the file is a little larger, each step slower. When LoRA falls just short.',
    },
    ia3: {
      title: 'IA3',
      code: 'IA3',
      line: 'Trains one set of factors on keys, values and the feed-forward; a file of some kilobytes. For little data and a small device.',
    },
    prefix: {
      title: 'Prefix tuning',
      code: 'PREFIX_TUNING',
      line: 'Trains a few virtual tokens before every layer and leaves the weights alone; a small file. When the model can do it and needs steering.',
    },
    full: {
      title: 'Full fine-tuning',
      code: 'FULL',
      line: 'Trains every parameter; a file as large as the model and several times the memory. For much data, a special task and a strong device.',
    },
  },
  rateHint: (general, method, low, high) => `${general} ${method}: usually ${low} to ${high}.`,
  rateOffer: (method, suggested, current) =>
    `${method} usually begins at a learning rate of ${suggested}; the field holds ${current}.`,
  rateUse: (rate) => `Use ${rate}`,
  fourBit: {
    word: '4-bit base',
    on: (method) =>
      `${method === 'LoRA' ? 'QLoRA: LoRA' : method} on a 4-bit base (load_in_4bit): most of the base’s memory is saved, and each step is slightly slower.`,
    turnOff: 'Turn off the 4-bit base',
    off: 'The 4-bit base is off: the run uses the base at its own precision.',
  },

  presetsTitle: 'Ready-made recipes',
  presetsHint: 'They change what they name, and the schedule; the rest stays as it is.',
  presets: {
    quick: { title: 'Quick', line: 'Rank 8 on q and v, 1 epoch. To see whether it works at all.' },
    balanced: {
      title: 'Balanced',
      line: 'The common recipe: rank 16 on q and v, 3 epochs, falling in a line.',
    },
    quality: {
      title: 'Quality',
      line: 'Rank 32 on all linear layers, 5 epochs, cosine with a warm-up of 0.03.',
    },
  },

  guide: {
    title: 'Help me choose',
    step: (step, all) => `Question ${step} of ${all}`,
    questions: {
      task: 'Is the task general or special?',
      data: 'Is there much data or little?',
      device: 'Has the device room to spare?',
    },
    answers: {
      general: {
        title: 'General',
        line: 'Rewriting, summaries, tone, form: the model can probably do some of it.',
      },
      special: {
        title: 'Special',
        line: 'A trade’s knowledge, terms of your own, a task the model has never met.',
      },
      little: { title: 'Little', line: 'Dozens or hundreds of rows.' },
      much: { title: 'Much', line: 'Thousands of rows and more.' },
      scarce: {
        title: 'Scarce',
        line: 'A phone, a thin laptop, integrated graphics, or a model that is large for it.',
      },
      rich: {
        title: 'Rich',
        line: 'A graphics card or much memory: several times the model would fit.',
      },
    },
    advice: {
      prompting: {
        title: 'No training yet: write a good prompt',
        reason:
          'The model can probably do a general task, and there is little to learn from. Say clearly in Chat what you want and add two or three examples; that is often enough. Train when it is not.',
      },
      prefix: {
        title: 'Prefix tuning',
        reason:
          'The model can do it and needs steering: a prefix learns that from few examples and leaves every weight alone.',
      },
      ia3: {
        title: 'IA3',
        reason:
          'With little data, fewer parameters learn less by heart; IA3 has the fewest and takes the least memory.',
      },
      lora: {
        title: 'LoRA',
        reason:
          'It learns enough, takes a small share of memory and storage, and the model can be had back as it was at any time.',
      },
      qlora: {
        title: 'QLoRA',
        reason:
          'A special task with much data wants LoRA on every layer; a scarce device wants the weights that are not trained in four bits.',
      },
      full: {
        title: 'Full fine-tuning',
        reason:
          'A special task, much data and a device with room: let every parameter learn, which reaches furthest.',
      },
    },
    fourBit:
      'Fills in LoRA on all linear layers, and load_in_4bit, which keeps the base in four bits.',
    announce: (title) => `Advice: ${title}`,
    filled: (method, epochs) =>
      `${method} is chosen in the recipe, with ${epochs} ${epochs === 1 ? 'epoch' : 'epochs'}.`,
    next: 'Next',
    back: 'Back',
    restart: 'Start over',
    fill: 'Fill in the recipe',
    openChat: 'Try prompts in Chat',
  },
};
