export { InferenceError, type InferenceErrorCode } from './errors';
export {
  TextSession,
  type GenerateRequest,
  type GenerateResult,
  type TextSessionSource,
} from './text-session';
export type {
  AdapterInputs,
  HostTensor,
  InputTensor,
  LayerFactors,
  PrefixCache,
  RowFactors,
} from './adapter-inputs';
export { createSampler, type Sampler, type SamplingOptions } from './sampler';
export { loadRuntime, type Backend, type Runtime, type RuntimeBuild } from './runtime';
export type { TextGeneration } from './check-request';
export type { ModelSource, SessionProgress } from './model-sessions';
