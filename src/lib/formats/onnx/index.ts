export { serializeOnnx, DEFAULT_IR_VERSION } from './serialize';
export { parseOnnx } from './parse';
export {
  EXTERNAL_DATA_ALIGNMENT,
  layoutExternalData,
  type ExternalDataLayout,
} from './layout-external-data';
export { MAX_MESSAGE_BYTES } from './protobuf';
export {
  ONNX_ELEMENT_TYPE,
  onnxByteLength,
  type OnnxAttribute,
  type OnnxDim,
  type OnnxElementType,
  type OnnxExternalData,
  type OnnxGraph,
  type OnnxInt,
  type OnnxModel,
  type OnnxNode,
  type OnnxOpset,
  type OnnxTensor,
  type ValueInfo,
} from './types';
