/** The element types of safetensors in upstream's order, which is also the order it sorts tensors by. */
export const SAFETENSORS_DTYPES = [
  'BOOL',
  'F4',
  'F6_E2M3',
  'F6_E3M2',
  'U8',
  'I8',
  'F8_E5M2',
  'F8_E4M3',
  'F8_E8M0',
  'F8_E4M3FNUZ',
  'F8_E5M2FNUZ',
  'I16',
  'U16',
  'F16',
  'BF16',
  'I32',
  'U32',
  'F32',
  'C64',
  'F64',
  'I64',
  'U64',
] as const;

export type SafetensorsDtype = (typeof SAFETENSORS_DTYPES)[number];

const BITS: Record<SafetensorsDtype, number> = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
};

const RANK = new Map<string, number>(SAFETENSORS_DTYPES.map((dtype, rank) => [dtype, rank]));

export const isSafetensorsDtype = (value: unknown): value is SafetensorsDtype =>
  typeof value === 'string' && RANK.has(value);

export const bitsPerElement = (dtype: SafetensorsDtype): number => BITS[dtype];

/** Place of a dtype in upstream's order. */
export const dtypeRank = (dtype: SafetensorsDtype): number => RANK.get(dtype) ?? -1;

/**
 * Bytes that a tensor takes, or undefined where the element count is no safe integer or does not
 * fill whole bytes. As upstream, every partial product must fit, even where a later 0 empties it.
 */
export function safetensorsByteLength(
  dtype: SafetensorsDtype,
  shape: readonly number[],
): number | undefined {
  let bits = BITS[dtype];
  for (const size of shape) {
    bits *= size;
    if (!Number.isSafeInteger(bits)) return undefined;
  }
  return bits % 8 === 0 ? bits / 8 : undefined;
}
