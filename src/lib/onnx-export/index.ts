export { ExportError, type ExportErrorCode } from './errors';
export {
  factorInputs,
  hasWholeNf4Rows,
  LORA_SCALE,
  loraInputs,
  pathsOfModules,
  type LayerPaths,
  type LoraInput,
} from './decoder-weights';
export { emitDecoder, planDecoder, type DecoderOptions, type DecoderPlan } from './emit-decoder';
export { externalData, type WeightSource } from './external-data';
export type { ExportDtype } from './weight-supply';
export { exportFolder, type ExportedPart, type ExportFolderRequest } from './export-folder';
