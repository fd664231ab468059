/**
 * The part of ONNX that the project writes and reads, as plain objects. Field names are those of
 * onnx.proto in camel case; everything else in a foreign file is skipped when read.
 */

/** `TensorProto.DataType` of onnx.proto. */
export const ONNX_ELEMENT_TYPE = {
  FLOAT: 1,
  UINT8: 2,
  INT8: 3,
  UINT16: 4,
  INT16: 5,
  INT32: 6,
  INT64: 7,
  STRING: 8,
  BOOL: 9,
  FLOAT16: 10,
  DOUBLE: 11,
  UINT32: 12,
  UINT64: 13,
  BFLOAT16: 16,
  UINT4: 21,
  INT4: 22,
} as const;

export type OnnxElementType = (typeof ONNX_ELEMENT_TYPE)[keyof typeof ONNX_ELEMENT_TYPE];

/** Where a tensor's bytes lie outside the protobuf. */
export interface OnnxExternalData {
  /** File beside the model, without a folder. */
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

interface OnnxTensorBase {
  readonly name: string;
  readonly elementType: OnnxElementType;
  readonly dims: readonly number[];
}

/** Little-endian `raw_data`, or a place in an external file. 4-bit values lie two a byte, low first. */
export type OnnxTensor =
  | (OnnxTensorBase & { readonly data: Uint8Array; readonly external?: undefined })
  | (OnnxTensorBase & { readonly external: OnnxExternalData; readonly data?: undefined });

/** Reading gives a bigint only where the value is no safe integer. */
export type OnnxInt = number | bigint;

export type OnnxAttribute = { readonly name: string } & (
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'int'; readonly value: OnnxInt }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'tensor'; readonly value: OnnxTensor }
  | { readonly kind: 'graph'; readonly value: OnnxGraph }
  | { readonly kind: 'floats'; readonly value: readonly number[] }
  | { readonly kind: 'ints'; readonly value: readonly OnnxInt[] }
  | { readonly kind: 'strings'; readonly value: readonly string[] }
);

export interface OnnxNode {
  /** Path of the op, such as `/model/layers.0/attn/q_proj/MatMul`. */
  readonly name: string;
  readonly opType: string;
  /** '' is the standard's own. */
  readonly domain?: string;
  /** '' stands for an optional input that is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: readonly OnnxAttribute[];
}

/** A number, the name of a symbolic dimension, or null where nothing is known. */
export type OnnxDim = number | string | null;

export interface ValueInfo {
  readonly name: string;
  readonly elementType: OnnxElementType;
  /** Undefined where the rank is unknown. */
  readonly shape?: readonly OnnxDim[];
}

export interface OnnxGraph {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly initializers: readonly OnnxTensor[];
  readonly valueInfos?: readonly ValueInfo[];
}

export interface OnnxOpset {
  readonly domain: string;
  readonly version: number;
}

export interface OnnxModel {
  readonly irVersion?: number;
  readonly producerName?: string;
  readonly producerVersion?: string;
  readonly opsets: readonly OnnxOpset[];
  readonly graph: OnnxGraph;
  readonly metadata?: Readonly<Record<string, string>>;
}

const BITS: Record<OnnxElementType, number> = {
  1: 32,
  2: 8,
  3: 8,
  4: 16,
  5: 16,
  6: 32,
  7: 64,
  8: 0,
  9: 8,
  10: 16,
  11: 64,
  12: 32,
  13: 64,
  16: 16,
  21: 4,
  22: 4,
};

export const isOnnxElementType = (value: number): value is OnnxElementType => value in BITS;

/** Bytes of `raw_data`; undefined for strings and for shapes without a safe size. */
export function onnxByteLength(type: OnnxElementType, dims: readonly number[]): number | undefined {
  let bits = BITS[type];
  if (bits === 0) return undefined;
  for (const dim of dims) {
    if (!Number.isSafeInteger(dim) || dim < 0) return undefined;
    bits *= dim;
    if (!Number.isSafeInteger(bits)) return undefined;
  }
  return Math.ceil(bits / 8);
}
