export { FormatError, type FormatErrorCode } from './errors';
export * from './safetensors';
export * from './onnx';
export * from './datasets';
export * from './zip';
