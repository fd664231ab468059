/**
 * Settings of LLaMA-Factory and axolotl that make a run another kind of training than there is here: set, they are
 * refused by name, since a run without them would teach something else.
 */
import { Fields, type JsonObject } from './fields';
import { isSet, refused } from './unsupported-peft';

const OTHER_STEP = 'leave it out, the optimiser is the one that optim names';
const FROM_ANSWERS = 'leave it out, a run learns from answers alone';
const OTHER_MODEL = 'leave it out, the model is trained as its folder has it';
const SOME_PARAMETERS =
  'leave it out, and choose layers with target_modules and layers_to_transform';

const NEXT_STEPS: Readonly<Record<string, string>> = {
  rl: FROM_ANSWERS,
  reward_model: FROM_ANSWERS,
  process_reward_model: FROM_ANSWERS,
  use_dft_loss: 'leave it out, the loss is cross-entropy',
  use_galore: OTHER_STEP,
  use_apollo: OTHER_STEP,
  use_badam: OTHER_STEP,
  use_adam_mini: OTHER_STEP,
  use_muon: OTHER_STEP,
  relora: OTHER_STEP,
  lr_groups: 'leave it out, all that is trained has one learning_rate',
  use_llama_pro: OTHER_MODEL,
  mixture_of_depths: OTHER_MODEL,
  train_from_scratch: OTHER_MODEL,
  use_pose: OTHER_MODEL,
  shift_attn: OTHER_MODEL,
  s2_attention: OTHER_MODEL,
  unfrozen_parameters: SOME_PARAMETERS,
  lisa_n_layers: SOME_PARAMETERS,
};

/** `pt` learns from plain text as a run here does. */
const STAGES = ['sft', 'pt'] as const;

/**
 * @param namesRead collects the names that are settled here
 * @throws ConfigError `unsupported-option`, `wrong-type`
 */
export function refuseOtherTrainings(
  object: JsonObject,
  fileName: string,
  namesRead: Set<string>,
): void {
  const fields = new Fields(object, fileName, namesRead);
  for (const [name, nextStep] of Object.entries(NEXT_STEPS)) {
    if (!Object.hasOwn(object, name)) continue;
    const value = fields.value(name);
    if (isSet(value)) throw refused(fields, name, value, nextStep);
  }
  if (!Object.hasOwn(object, 'stage')) return;
  const stage = fields.value('stage') ?? STAGES[0];
  if (!STAGES.some((one) => one === stage))
    throw fields.unsupported('stage', stage, STAGES.join(', '));
}
