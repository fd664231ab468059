import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { findNonFinite, float32ToBf16, float32ToF16, tensorToFloat32 } from '$lib/formats';
import { expectFormatError } from './expect-error';

const allPatterns = Uint16Array.from({ length: 65536 }, (_, i) => i);
const bytesOf = (array: Uint16Array | Float32Array) =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** The value of a half by its definition: sign, 5 bits of exponent, 10 of mantissa. */
function halfValue(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 0x3ff;
  if (exponent === 31) return mantissa === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

describe('16-bit floats', () => {
  it('widen exactly, for every f16 bit pattern', () => {
    const values = tensorToFloat32(bytesOf(allPatterns), 'F16');
    for (let i = 0; i < 65536; i++) {
      const expected = halfValue(i);
      if (!Object.is(values[i], expected)) throw new Error(`${i}: ${values[i]} not ${expected}`);
    }
  });

  it('widen exactly, for every bf16 bit pattern', () => {
    const values = tensorToFloat32(bytesOf(allPatterns), 'BF16');
    const bits = new Uint32Array(values.buffer);
    expect(bits).toEqual(Uint32Array.from(allPatterns, (pattern) => (pattern << 16) >>> 0));
  });

  it('survive the way there and back, for every pattern that is a number', () => {
    for (const [dtype, narrow] of [
      ['F16', float32ToF16],
      ['BF16', float32ToBf16],
    ] as const) {
      const wide = tensorToFloat32(bytesOf(allPatterns), dtype);
      const back = narrow(wide);
      const wrong = allPatterns.filter((i) => !Number.isNaN(wide[i]) && back[i] !== i);
      expect(wrong).toHaveLength(0);
    }
  });

  it('narrow as torch does: ties to even, subnormals, overflow to infinity, NaN stays NaN', () => {
    const file = readFileSync(new URL('./goldens/float-bits.bin', import.meta.url));
    const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
    const count = file.byteLength / 8;
    const bits = Uint32Array.from({ length: count }, (_, i) => view.getUint32(i * 8, true));
    const values = new Float32Array(bits.buffer);
    const f16 = float32ToF16(values);
    const bf16 = float32ToBf16(values);
    for (let i = 0; i < count; i++) {
      if (Number.isNaN(values[i])) {
        expect(f16[i] & 0x7fff).toBeGreaterThan(0x7c00);
        expect(bf16[i] & 0x7fff).toBeGreaterThan(0x7f80);
        continue;
      }
      const name = `0x${bits[i].toString(16)}`;
      expect([name, f16[i]]).toEqual([name, view.getUint16(i * 8 + 4, true)]);
      expect([name, bf16[i]]).toEqual([name, view.getUint16(i * 8 + 6, true)]);
    }
  });

  it('read bytes at odd offsets, and copy f32', () => {
    const bytes = Uint8Array.of(9, 0x00, 0x3c, 0x00, 0xc0);
    expect([...tensorToFloat32(bytes.subarray(1), 'F16')]).toEqual([1, -2]);
    const source = Float32Array.of(1.5, -2);
    const copy = tensorToFloat32(bytesOf(source), 'F32');
    source[0] = 0;
    expect([...copy]).toEqual([1.5, -2]);
  });

  it('refuse half a value; a whole one is read', () => {
    expect(tensorToFloat32(new Uint8Array(4), 'F32')).toHaveLength(1);
    expectFormatError(
      () => tensorToFloat32(new Uint8Array(5), 'F32'),
      'invalid-value',
      /5 bytes .* F32/,
    );
    expectFormatError(
      () => tensorToFloat32(new Uint8Array(1), 'BF16'),
      'invalid-value',
      /1 bytes .* BF16/,
    );
  });
});

describe('findNonFinite', () => {
  it('finds the first NaN or infinity, and none where all are finite', () => {
    expect(findNonFinite(Float32Array.of(0, -0, 3.4e38, -1e-45))).toBe(-1);
    expect(findNonFinite(Float32Array.of(1, NaN, Infinity))).toBe(1);
    expect(findNonFinite(Float32Array.of(1, 2, -Infinity))).toBe(2);
    expect(findNonFinite(new Float32Array(0))).toBe(-1);
  });
});
