export { PeftError, type PeftErrorCode } from './errors';
export {
  adapterKey,
  biasKey,
  layoutAdapter,
  type AdaptedModel,
  type AdapterLayout,
  type AdapterParameter,
  type LinearLayer,
  type ParameterGroup,
  type ParameterKind,
} from './adapter-layout';
export { loraTargets, onEveryLayer, type LoraTarget } from './lora-targets';
export { initAdapter, type BaseTensor, type InitOptions } from './init-adapter';
export { AdapterState, type OptimizerMoments } from './adapter-state';
export { ADAPTER_CONFIG_FILE, PEFT_VERSION, withBaseModel, type BaseModel } from './adapter-config';
export {
  ADAPTER_WEIGHTS_FILE,
  readAdapter,
  writeAdapter,
  type AdapterFiles,
  type LoadedAdapter,
} from './adapter-files';
export { fromPlainLora, plainLoraConfig, toPlainLora } from './plain-lora';
export { mergeLora, mergeScaling, rowFactors, rowNorms, type LowRank } from './merge';
