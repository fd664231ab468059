import type { recipe as zh } from '../zh/recipe';

export const recipe: typeof zh = {
  lead: 'The defaults are the recipe most people begin with; often nothing needs changing.',
  recommended: 'Use the recipe tuned for this sample',
  recommendedOffer:
    'There is a recipe tuned for this sample; the bundled model learns best with it.',
  recommendedOn: 'The recipe tuned for this sample is in use.',
  common: 'Use the common recipe',
  paramsPending: 'The number of trainable parameters is worked out when training starts.',
  groups: {
    main: 'Changed most often',
    more: 'Everything else',
    method: 'Details of the method',
    pace: 'Pace',
    optimizer: 'Optimisation and memory',
    data: 'Data',
    evaluation: 'Evaluation',
    saving: 'Logging and saving',
  },
  range: (min, max) => `${min} to ${max}`,
  invalid: (found, min, max) =>
    `Found ${found || 'nothing'}; allowed is ${min} to ${max}. Please correct it.`,
  whole: 'a whole number',
  blocked: 'Something in the recipe has to be corrected first.',
  conflicts: {
    needsEvaluation: (label) =>
      `“${label}” needs evaluations while training, and they are off; turn them on.`,
    otherRhythm: (saves, evaluates) =>
      `To end with the best checkpoint, checkpoints must be saved when the run evaluates: it evaluates ${evaluates}, and saves ${saves}.`,
    noMultiple: (saveSteps, evalSteps, fits) =>
      `To end with the best checkpoint, “Checkpoint every” (${saveSteps}) must be a multiple of “Evaluate every” (${evalSteps}); ${fits} would do.`,
    endAboveRate: (end, rate) =>
      `The rate at the end (${end}) must be below the learning rate (${rate}).`,
    nothingHeldBack:
      'A run that evaluates itself needs rows that it does not learn from; hold back a tenth of them.',
    noF16: (label) => `“${label}” is on, and this device does not compute in 16 bits; turn it off.`,
    packedPrefix: (label) =>
      `“${label}” is on, and prefix tuning cannot have it: each example needs the prefix in front of it anew. Turn it off.`,
    oddRank: (label, rank, fits) =>
      `“${label}” is orthogonal, which takes even ranks alone, and the rank is ${rank}; ${fits} would do.`,
  },
  noTarget: 'Choose at least one module, or there is nothing to train.',
  written:
    'These settings say which layers are trained and how; the form cannot show them, and they count:',
  dropWritten: 'Leave them out',
  fields: {
    r: ['Rank', 'Width of the adapter: wider learns more and makes a larger file.'],
    lora_alpha: ['Scale', 'Strength of the adapter; often twice the rank.'],
    lora_dropout: [
      'Dropout',
      'Leaves a random part out while training, against learning by heart.',
    ],
    target_modules: ['Layers to adapt', 'Which linear layers get an adapter.'],
    feedforward_modules: [
      'Layers scaled at their input',
      'The feed-forward is scaled at its input, other layers at their output.',
    ],
    num_virtual_tokens: ['Virtual tokens', 'How many stand before each layer: more learn more.'],
    init_lora_weights: [
      'Where it starts',
      'The values of A and B before the first step. PiSSA and OLoRA take them out of the weight itself and learn faster at first; the others are drawn at random. Only false changes the model’s answers before anything is learned, and is meant for tests.',
    ],
    bias: ['Biases', 'Whether biases are trained as well.'],
    load_in_4bit: [
      '4-bit base',
      'QLoRA: the linear layers of the base in NF4, 4.5 bits a weight instead of 16 or 32; a little slower.',
    ],
    optim: ['Optimiser', 'adamw_8bit keeps its moments in 8 bits, which saves memory.'],
    gradient_checkpointing: [
      'Recompute activations',
      'Each layer is computed again in backward: far less memory, about a third more time, the same result.',
    ],
    fp16: [
      '16-bit products',
      'The model’s weights are multiplied in 16 bits and added up in 32: faster on many graphics cards; losses differ by a few ten-thousandths at most. The time below tells whether it pays here.',
    ],
    packing: [
      'Pack short rows',
      'Short rows share a sequence without seeing each other: less padding, faster.',
    ],
    group_by_length: ['Group by length', 'Rows of like length share a step: less padding.'],
    eval_strategy: [
      'Evaluate while training',
      'Loss and token accuracy on the rows that are held back.',
    ],
    load_best_model_at_end: [
      'End with the best checkpoint',
      'By evaluation loss, or whatever counts as best; evaluating and saving must go together.',
    ],
    use_rslora: ['Rank-stabilised scale', 'Keeps the strength steady at high ranks.'],
    learning_rate: [
      'Learning rate',
      'Size of a step. Raise it if nothing is learned, lower it if the loss jumps.',
    ],
    per_device_train_batch_size: [
      'Rows per batch',
      'Rows looked at together; the first thing to lower when memory is short.',
    ],
    gradient_accumulation_steps: ['Batches per step', 'Batches gathered before one update.'],
    num_train_epochs: ['Epochs', 'How often all the data is gone through.'],
    max_steps: ['Maximum steps', 'At -1 the epochs decide.'],
    lr_scheduler_type: ['Learning rate schedule', 'How the learning rate changes over the steps.'],
    num_cycles: [
      'Waves',
      'How often the cosine falls and rises over the run; half a wave falls once.',
    ],
    lr_end: ['Rate at the end', 'What the learning rate falls to; must be below it.'],
    power: ['Power', '1 falls in a line; more falls fast first and slowly later.'],
    timescale: [
      'Time scale',
      'Steps after which the rate has fallen noticeably; at 0 as many as the warm-up.',
    ],
    min_lr: ['Lowest rate', 'The rate never falls below this; at 0 the share below it decides.'],
    min_lr_rate: ['Lowest share', 'The rate never falls below this share of the learning rate.'],
    warmup_lr_rate: [
      'Share at the start',
      'Share of the learning rate that the warm-up begins with; at 0 its first step.',
    ],
    num_decay_steps: ['Steps of decay', 'How many steps the fall at the end takes.'],
    num_stable_steps: [
      'Steady steps',
      'How many steps the rate stays the same; at 0, all that warm-up and decay leave.',
    ],
    min_lr_ratio: ['Share at the end', 'Share of the learning rate that remains after the decay.'],
    warmup_type: ['Shape of the warm-up', 'How the rate rises.'],
    decay_type: ['Shape of the decay', 'How the rate falls.'],
    eval_on_start: [
      'Evaluate at the start',
      'One evaluation before the first step, to compare with.',
    ],
    metric_for_best_model: [
      'What counts as best',
      'The figure by which checkpoints are compared and a run stops early; token accuracy is the share of answer tokens that the model puts first.',
    ],
    greater_is_better: [
      'Which way is better',
      'Lower for a loss, higher for an accuracy; only experiments want the opposite.',
    ],
    logging_strategy: [
      'Log',
      'When trainer_state.json gets an entry; the curves here have every step.',
    ],
    logging_first_step: ['Log the first step', 'Also where the next log is far away.'],
    warmup_steps: ['Warm-up steps', 'Steps over which the learning rate rises at the start.'],
    warmup_ratio: ['Warm-up share', 'Share of all steps; counts when the warm-up steps are 0.'],
    weight_decay: ['Weight decay', 'Draws the parameters slightly towards zero.'],
    adam_beta1: [
      'First momentum',
      'How long the direction of past gradients is remembered; 0.9 is usual.',
    ],
    adam_beta2: [
      'Second momentum',
      'How long the size of past gradients is remembered; lower it if the loss jumps late in a run.',
    ],
    adam_epsilon: [
      'Stabiliser',
      'Keeps steps finite where gradients are nearly zero; seldom needs changing.',
    ],
    loraplus_lr_ratio: [
      'Ratio for B',
      'LoRA+: B learns at so many times the rate; 1 is plain LoRA.',
    ],
    max_grad_norm: [
      'Gradient clipping',
      'Larger gradients are scaled down to this; 0 turns it off.',
    ],
    label_smoothing_factor: [
      'Label smoothing',
      'Share of each target that is spread over the whole vocabulary, against overconfidence.',
    ],
    neftune_noise_alpha: [
      'Noise on embeddings',
      'A little noise while training (NEFTune); 5 is usual, 0 is none.',
    ],
    seed: ['Random seed', 'The same seed gives the same result.'],
    shuffle: ['Shuffle', 'A new order of rows in every epoch.'],
    logging_steps: [
      'Log every',
      'One entry of trainer_state.json is the mean loss of so many steps; the curves here show each. Counts when logs are made by steps, and for evaluations without a number.',
    ],
    save_strategy: ['Checkpoints', 'A run can be taken up again from a checkpoint.'],
    save_steps: ['Checkpoint every', 'Counts when checkpoints are saved by steps.'],
    save_total_limit: [
      'Checkpoints to keep',
      'The oldest go first, but never the best where the run keeps it; 0 keeps them all.',
    ],
    per_device_eval_batch_size: [
      'Rows per evaluation batch',
      'Rows looked at together when a run evaluates itself.',
    ],
    eval_steps: [
      'Evaluate every',
      'Counts when a run evaluates by steps; at 0 it is as often as the log.',
    ],
    early_stopping_patience: [
      'Stop early after',
      'Evaluations in a row that are no better; 0 never stops a run early.',
    ],
    early_stopping_threshold: [
      'Least improvement',
      'An evaluation counts as better when its figure improves by more than this; 0.01 of accuracy is one point in a hundred.',
    ],
    max_length: [
      'Maximum length',
      'Tokens a row may have; the rest is cut off. Plain text can be split instead.',
    ],
    train_on_prompt: ['Learn the question too', 'By default only the answer counts.'],
    split_long_text: [
      'Split long texts',
      'Plain text beyond the maximum length is learned to its end, in parts that follow each other. Rows with a question are never split.',
    ],
  },
  choices: {
    linear: 'falls in a line',
    cosine: 'falls as a cosine',
    constant: 'stays the same',
    constant_with_warmup: 'then steady',
    cosine_with_restarts: 'falls again and again',
    polynomial: 'falls as a power',
    inverse_sqrt: 'falls as 1/√steps',
    cosine_with_min_lr: 'to a minimum',
    cosine_warmup_with_min_lr: 'warmed up',
    warmup_stable_decay: 'up, steady, down',
    epoch: 'after each epoch',
    steps: 'every so many steps',
    no: 'only at the end',
    best: 'at each new best',
    '1-sqrt': 'as a square root',
    'warmup_type.linear': 'in a line',
    'warmup_type.cosine': 'as a cosine',
    'decay_type.linear': 'in a line',
    'decay_type.cosine': 'as a cosine',
    'logging_strategy.no': 'never',
    'metric_for_best_model.none': 'only where needed',
    eval_loss: 'loss on held-back rows',
    eval_mean_token_accuracy: 'tokens put first',
    auto: 'as the figure has it',
    'greater_is_better.true': 'higher is better',
    'greater_is_better.false': 'lower is better',
    'init_lora_weights.true': 'as PEFT does',
    gaussian: 'normal, by the rank',
    orthogonal: 'A and B cancel out',
    'init_lora_weights.false': 'all random',
    pissa: 'the largest singular values',
    pissa_niter_4: 'the same, quicker',
    olora: 'QR factors',
    'eval_strategy.no': 'never',
    adamw_torch: '32-bit moments',
    adamw_8bit: '8-bit moments',
    none: 'not trained',
    all: 'all trained',
    lora_only: 'adapted layers only',
  },
  allLinear: 'All linear layers (all-linear)',
};
