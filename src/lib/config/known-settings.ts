/**
 * Names in files of PEFT, transformers, TRL, LLaMA-Factory and axolotl that Inkstone does not read: the values at which
 * they change nothing here, and for the rest what to use instead.
 */
import { isSet } from './unsupported-peft';

export interface KnownSetting {
  /** Whether a run is what it would be if the setting counted. */
  readonly isHarmless: (value: unknown) => boolean;
  /** A half-sentence on what is done, or what to do. */
  readonly instead?: string;
}

/** Names, folders, reports, and what makes a run faster or smaller somewhere else, to the same end. */
const WITHOUT_EFFECT = `
  auto_mapping base_model_name_or_path inference_mode megatron_core peft_version qalora_group_size revision
  runtime_config encoder_hidden_size num_attention_heads num_layers num_transformer_submodules token_dim
  output_dir overwrite_output_dir logging_dir run_name project trackio_space_id report_to disable_tqdm log_level
  log_level_replica log_on_each_node logging_nan_inf_filter skip_memory_metrics do_train do_eval do_predict
  prediction_loss_only eval_accumulation_steps eval_do_concat_batches eval_use_gather_object batch_eval_metrics
  include_for_metrics include_inputs_for_metrics include_num_input_tokens_seen include_tokens_per_second
  torch_empty_cache_steps no_cuda use_cpu use_mps_device use_ipex jit_mode_eval full_determinism tf32
  fp16_opt_level fp16_backend half_precision_backend bnb_4bit_compute_dtype
  bnb_4bit_quant_storage local_rank ddp_backend ddp_broadcast_buffers ddp_bucket_cap_mb ddp_find_unused_parameters
  ddp_timeout tpu_num_cores tpu_metrics_debug debug dataloader_num_workers dataloader_prefetch_factor
  dataloader_pin_memory dataloader_persistent_workers remove_unused_columns length_column_name
  fsdp_config fsdp_min_num_params fsdp_transformer_layer_cls_to_wrap accelerator_config hub_model_id hub_strategy
  hub_token hub_private_repo hub_always_push hub_revision push_to_hub_model_id push_to_hub_organization
  push_to_hub_token gradient_checkpointing_kwargs torch_compile torch_compile_backend torch_compile_mode
  torchdynamo use_legacy_prediction_loop use_liger_kernel liger_kernel_config ray_scope mp_parameters
  average_tokens_across_devices dispatch_batches split_batches save_safetensors save_on_each_node
  save_only_model restore_callback_states_from_checkpoint enable_jit_checkpoint use_cache _n_gpu
  dataset_num_proc dataset_batch_size padding_free pad_to_multiple_of pad_token activation_offloading
`
  .trim()
  .split(/\s+/);

/** The same of LLaMA-Factory and axolotl; what they call a PiSSA adapter's conversion is done here for every one. */
const WITHOUT_EFFECT_ELSEWHERE = `
  overwrite_cache preprocessing_num_workers preprocessing_batch_size plot_loss dataset_dir media_dir tokenized_path
  cache_dir trust_remote_code use_fast_tokenizer low_cpu_mem_usage model_revision hf_hub_token ms_hub_token om_hub_token
  print_param_status compute_accuracy include_effective_tokens_per_second flash_attn enable_liger_kernel use_unsloth
  use_unsloth_gc use_reentrant_gc use_v1_kernels use_kv_cache upcast_layernorm upcast_lmhead_output
  quantization_device_map pissa_iter pissa_convert create_new_adapter loraplus_lr_embedding
  infer_backend infer_dtype offload_folder save_only_adapter use_swanlab
  strict base_model_config base_model_ignore_patterns revision_of_model model_type tokenizer_type tokenizer_config
  tokenizer_use_fast tokenizer_legacy is_falcon_derived_model is_llama_derived_model is_mistral_derived_model
  is_qwen_derived_model dataset_prepared_path dataset_processes dataset_keep_in_memory shuffle_merged_datasets
  pad_to_sequence_len sample_packing_group_size sample_packing_bin_size multipack_real_batches
  flash_attention xformers_attention sdp_attention eager_attention flex_attention flash_optimum
  flash_attn_cross_entropy flash_attn_rms_norm flash_attn_fuse_qkv flash_attn_fuse_mlp
  unsloth_cross_entropy_loss unsloth_lora_mlp unsloth_lora_qkv unsloth_lora_o unsloth_rms_norm unsloth_rope
  lora_mlp_kernel lora_qkv_kernel lora_o_kernel lora_on_cpu qlora_sharded_model_loading merge_lora
  peft_autocast_adapter_dtype use_tensorboard profiler_steps gc_steps device device_map world_size ddp max_memory
  gpu_memory_limit heads_k_stride eval_table_size eval_max_new_tokens hf_use_auth_token push_dataset_to_hub
`
  .trim()
  .split(/\s+/);

/** Where reports go, whatever is said of it. */
const OF_REPORTS = /^(wandb|mlflow|comet|swanlab|hf_mlflow)_\w+$/;

const HELD_BACK =
  'the page holds back up to half of the rows, the command line takes --eval-dataset';

/** What a run does not have, and aliases that another name has overruled; harmless where it is off. */
const INSTEAD_OF: Readonly<Record<string, string>> = {
  bf16: "the model's weights stay in the 16 bits they came in, and fp16 makes products in 16 bits",
  load_in_8bit: 'load_in_4bit keeps the base in 4 bits',
  quantization_bit: 'load_in_4bit keeps the base in 4 bits',
  max_seq_length: 'use max_length',
  max_seq_len: 'use max_length',
  model_max_length: 'use max_length',
  cutoff_len: 'use max_length',
  assistant_only_loss: 'the loss is on the answers alone unless train_on_prompt is true',
  dataloader_drop_last: "an epoch's last, shorter step is taken",
  data_seed: 'seed decides the order of the rows',
  shuffle_dataset: 'use shuffle',
  eval_packing: 'rows to evaluate on are never packed',
  group_by_len: 'use group_by_length',
  per_gpu_train_batch_size: 'use per_device_train_batch_size',
  per_gpu_eval_batch_size: 'use per_device_eval_batch_size',
  batch_size: 'use per_device_train_batch_size',
  train_batch_size: 'use per_device_train_batch_size',
  micro_batch_size: 'use per_device_train_batch_size',
  auto_find_batch_size: 'the batch is as large as per_device_train_batch_size says',
  evaluation_strategy: 'use eval_strategy',
  fp16_full_eval: 'evaluations are computed as training is',
  bf16_full_eval: 'evaluations are computed as training is',
  epochs: 'use num_train_epochs',
  num_epochs: 'use num_train_epochs',
  lr: 'use learning_rate',
  lr_scheduler: 'use lr_scheduler_type',
  scheduler: 'use lr_scheduler_type',
  warmup: 'use warmup_steps',
  optimizer: 'use optim',
  optim_args: 'use adam_beta1, adam_beta2 and adam_epsilon',
  optim_target_modules: 'the optimiser takes all that is trained',
  adafactor: 'use optim, which is AdamW',
  label_smoothing: 'use label_smoothing_factor',
  lora_r: 'use r',
  lora_rank: 'use r',
  rank: 'use r',
  alpha: 'use lora_alpha',
  dropout: 'use lora_dropout',
  lora_target: 'use target_modules',
  lora_target_modules: 'use target_modules',
  lora_modules: 'use target_modules',
  finetuning_type: 'use peft_type',
  method: 'use peft_type',
  resume_from_checkpoint: 'give --resume on the command line',
  ignore_data_skip: 'a resumed run goes on with the rows that follow',
  model_name_or_path: 'give --model on the command line',
  dataset: 'give --dataset on the command line',
  dataset_name: 'give --dataset on the command line',
  base_model: 'give --model on the command line',
  datasets: 'give --dataset on the command line',
  pretraining_dataset: 'give --dataset on the command line',
  test_datasets: 'give --eval-dataset on the command line',
  eval_dataset: 'give --eval-dataset on the command line',
  adapter_name_or_path: 'give --init-adapter on the command line',
  lora_model_dir: 'give --init-adapter on the command line',
  auto_resume_from_checkpoints: 'give --resume on the command line',
  template: "the template is the model's own",
  chat_template: "the template is the model's own",
  chat_template_jinja: "the template is the model's own",
  default_system_message: 'a system message stands in the rows themselves',
  special_tokens: "the tokens are the model's own",
  tokens: "the tokens are the model's own",
  add_tokens: "the tokens are the model's own",
  add_special_tokens: "the tokens are the model's own",
  resize_vocab: "the tokens are the model's own",
  rope_scaling: "positions are the model's own",
  max_samples: 'every row counts',
  mask_history: 'the loss is on every answer',
  roles_to_train: 'the loss is on every answer',
  pure_bf16: 'parameters are trained in 32 bits',
  bfloat16: 'parameters are trained in 32 bits',
  float16: 'parameters are trained in 32 bits',
  bnb_config_kwargs: 'the 4 bits are nf4 with double quantisation',
  sequence_len: 'use max_length',
  eval_batch_size: 'use per_device_eval_batch_size',
  sample_packing: 'use packing',
  neat_packing: 'rows that are packed never see each other',
  eval_sample_packing: 'rows to evaluate on are never packed',
  disable_shuffling: 'use shuffle',
  curriculum_sampling: 'use shuffle',
  disable_gradient_checkpointing: 'use gradient_checkpointing',
  early_stopping_steps: 'use early_stopping_patience',
  cosine_min_lr_ratio: 'use lr_scheduler_type cosine_with_min_lr with lr_scheduler_kwargs',
  loss_watchdog_threshold: 'a run stops by early_stopping_patience alone',
  loss_watchdog_patience: 'a run stops by early_stopping_patience alone',
  lora_target_linear: 'use target_modules',
  peft_use_dora: 'use use_dora',
  peft_use_rslora: 'use use_rslora',
  pissa_init: 'use init_lora_weights',
  adapter: 'use peft_type',
  push_to_hub: 'nothing is uploaded',
  fsdp: 'a run has one device',
  deepspeed: 'a run has one device',
  parallelism_config: 'a run has one device',
  label_names: 'labels are what the loss is taken on',
  model_init_kwargs: 'the model is as its folder has it',
  chat_template_path: "the template is the model's own",
  dataset_kwargs: 'rows are read as their fields say',
  eos_token: "the token is the model's own",
};

/** PEFT's, of starts and methods that a recipe does not have. */
const SET_WITHOUT_USE = `
  corda_config eva_config lora_ga_config loftq_config megatron_config velora_config ensure_weight_tying init_weights
  fan_in_fan_out lora_bias use_qalora prefix_projection
`
  .trim()
  .split(/\s+/);

const isOff = (value: unknown): boolean => !isSet(value);
const isOneOf =
  (...values: readonly unknown[]) =>
  (value: unknown): boolean =>
    value === null || values.includes(value);

export const KNOWN_SETTINGS: ReadonlyMap<string, KnownSetting> = new Map<string, KnownSetting>([
  ...[...WITHOUT_EFFECT, ...WITHOUT_EFFECT_ELSEWHERE].map(
    (name) => [name, { isHarmless: () => true }] as const,
  ),
  ...SET_WITHOUT_USE.map((name) => [name, { isHarmless: isOff }] as const),
  ...Object.entries(INSTEAD_OF).map(
    ([name, instead]) => [name, { isHarmless: isOff, instead }] as const,
  ),
  // False, too, is meant where train_on_prompt says otherwise.
  ['train_on_inputs', { isHarmless: isOneOf(), instead: 'use train_on_prompt' }],
  ...[
    ['val_size', HELD_BACK],
    ['val_set_size', HELD_BACK],
    ['evals_per_epoch', 'eval_strategy and eval_steps say when'],
    ['saves_per_epoch', 'save_strategy and save_steps say when'],
  ].map(([name, instead]) => [name, { isHarmless: isOneOf(0, false), instead }] as const),
  [
    'eval_delay',
    { isHarmless: isOneOf(0), instead: 'evaluations begin with the first that is due' },
  ],
  ['past_index', { isHarmless: isOneOf(-1), instead: 'a row is one sequence' }],
  ['init_ia3_weights', { isHarmless: isOneOf(true), instead: 'factors start at one' }],
  ['task_type', { isHarmless: isOneOf('CAUSAL_LM'), instead: 'a run trains CAUSAL_LM' }],
  [
    'quantization_method',
    {
      isHarmless: isOneOf('bnb', 'bitsandbytes'),
      instead: "the 4 bits are nf4, bitsandbytes' own",
    },
  ],
  [
    'completion_only_loss',
    { isHarmless: isOneOf(true), instead: 'train_on_prompt takes the loss on the prompt too' },
  ],
  ['loss_type', { isHarmless: isOneOf('nll'), instead: 'the loss is nll' }],
  ['packing_strategy', { isHarmless: isOneOf('bfd'), instead: 'rows are packed by bfd' }],
  [
    'dataset_text_field',
    { isHarmless: isOneOf('text'), instead: 'plain text is read from the field text' },
  ],
  ['truncation_mode', { isHarmless: isOneOf('keep_start'), instead: 'the end is cut off' }],
]);

/** What is known of a name that nobody reads. */
export const knownSetting = (name: string): KnownSetting | undefined =>
  KNOWN_SETTINGS.get(name) ?? (OF_REPORTS.test(name) ? { isHarmless: () => true } : undefined);
