export { DecoderError, type DecoderErrorCode } from './errors';
export { adaptedModel, countParameters, parameterShapes, type ParameterShape } from './parameters';
export { NO_ADAPTER, type Adapter, type LoraPair, type Trained } from './trainable';
export { prepareAdapter } from './dora-layer';
export { prefixLength } from './prefix-attention';
export {
  ModelWeights,
  uploadedDtype,
  type StoredTensor,
  type TensorSource,
  type UploadOptions,
  type WeightStorage,
} from './weights';
export {
  Decoder,
  type BatchTensors,
  type DecoderInput,
  type RotaryTensors,
  type SegmentTensors,
} from './decoder';
export {
  INDEX_FILE,
  openCheckpoint,
  WEIGHTS_FILE,
  type FolderAccess,
  type OpenedCheckpoint,
} from './checkpoint-source';
export { mergedSource } from './merged-source';
export { nf4Source } from './nf4-weight';
export { writeCheckpointWeights } from './write-checkpoint';
