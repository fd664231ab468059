import { InkstoneError } from '../config/errors';

export type GpuErrorCode =
  | 'no-webgpu'
  | 'no-adapter'
  | 'device-lost'
  | 'out-of-memory'
  | 'validation'
  | 'shader'
  | 'limit'
  | 'plan';

export class GpuError extends InkstoneError<GpuErrorCode> {}
