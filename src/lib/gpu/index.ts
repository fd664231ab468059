export { Gpu, BUFFER_USAGE, type GpuFeatures } from './device';
export { isSoftwareAdapter } from './software-adapter';
export { NO_LIMITS, type CountedLimits } from './counting-device';
export { GpuError, type GpuErrorCode } from './errors';
export { Arena } from './arena';
export { ReadbackRing } from './readback';
export { PlanBuilder, Plan, read, write, update, image, type Binding, type Dispatch } from './plan';
export {
  IMAGE_HEIGHT_BITS,
  IMAGE_WIDTH_BITS,
  TEXEL_BYTES,
  imageLayers,
  panelBytes,
  type ImagePart,
} from './image';
export type { KernelSource, Access } from './pipeline';
export {
  BYTES_PER_ELEMENT,
  elementCount,
  reshaped,
  rootOf,
  tensorBytes,
  tensorOver,
  type DType,
  type Tensor,
} from './tensor';
