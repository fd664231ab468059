export { FormatError, type FormatErrorCode } from './errors';
export * from './safetensors';
export * from './onnx';
export * from './datasets';
export * from './zip';
export { dynamicMap, midpoints, nearestCode } from './dynamic-map';
export {
  dequantizeNf4,
  nestAbsmax,
  NF4_BLOCK,
  NF4_CODES,
  quantizeNf4,
  restoreAbsmax,
  type NestedAbsmax,
  type Nf4Weights,
} from './nf4';
