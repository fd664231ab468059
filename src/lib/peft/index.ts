export { PeftError, type PeftErrorCode } from './errors';
export {
  biasKey,
  layoutLora,
  loraKey,
  type LinearLayer,
  type LoraLayout,
  type LoraParameter,
} from './lora-layout';
export { initLora } from './init-lora';
export { LoraState, type OptimizerMoments } from './lora-state';
export {
  ADAPTER_CONFIG_FILE,
  ADAPTER_WEIGHTS_FILE,
  readAdapter,
  writeAdapter,
  type AdapterFiles,
  type LoadedAdapter,
} from './adapter-files';
export { mergeLora } from './merge';
