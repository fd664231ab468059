export { InferenceError, type InferenceErrorCode } from './errors';
export {
  TextSession,
  type GenerateRequest,
  type GenerateResult,
  type TextGeneration,
  type TextSessionSource,
} from './text-session';
export type { AdapterInputs, HostTensor } from './adapter-inputs';
export { createSampler, type Sampler, type SamplingOptions } from './sampler';
export { loadRuntime, type Backend, type Runtime, type RuntimeBuild } from './runtime';
