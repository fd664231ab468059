export {
  MAX_HEADER_LENGTH,
  parseSafetensorsHeader,
  safetensorsHeaderEnd,
  type SafetensorsHeader,
  type SafetensorsSource,
  type SafetensorsTensor,
} from './parse-header';
export {
  planSafetensors,
  serializeSafetensors,
  streamSafetensors,
  type SafetensorsInfo,
  type SafetensorsInput,
  type SafetensorsPlan,
  type SafetensorsStreamInput,
} from './serialize';
export { missingShards, parseSafetensorsIndex, type SafetensorsIndex } from './parse-index';
export {
  findNonFinite,
  float32ToBf16,
  float32ToF16,
  tensorToFloat32,
  type FloatDtype,
} from './floats';
export { SAFETENSORS_DTYPES, safetensorsByteLength, type SafetensorsDtype } from './dtypes';
