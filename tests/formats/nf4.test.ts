/**
 * Plan: codes, packed bytes, magnitudes and their second quantisation equal bitsandbytes' exactly, and values bit
 * for bit, on matrices with ties, tails and blocks of zeros, both as nf4.py writes them and as the library itself
 * did; the code books themselves; every value against the rule written plainly; sizes from 0, magnitudes to below
 * normal numbers; a hundred million weights in some seconds.
 */
import { describe, expect, it } from 'vitest';
import {
  dequantizeNf4,
  dynamicMap,
  float32ToBf16,
  float32ToF16,
  midpoints,
  nearestCode,
  nestAbsmax,
  NF4_BLOCK,
  NF4_CODES,
  quantizeNf4,
  restoreAbsmax,
  tensorToFloat32,
} from '$lib/formats';
import { goldenPath, readTensors } from '../goldens';
import { uniform } from '../kernels/oracle/add-harness';

const golden = readTensors(goldenPath('nf4.safetensors'));
const floats = (name: string) => golden.get(name)!.floats;
const bytes = (name: string) => golden.get(name)!.bytes;

const f32 = Math.fround;

describe('NF4', () => {
  it("has bitsandbytes' sixteen codes", () => {
    expect(Float32Array.from(NF4_CODES)).toEqual(floats('codes'));
  });

  describe.each(['even', 'tail', 'edges', 'large'])('of %s', (name) => {
    it('has the codes, magnitudes and nested magnitudes of bitsandbytes', () => {
      const { packed, absmax } = quantizeNf4(floats(`${name}.w`));
      expect(absmax).toEqual(floats(`${name}.absmax`));
      expect(packed).toEqual(bytes(`${name}.packed`));
      const nested = nestAbsmax(absmax);
      expect(nested.offset).toBe(floats(`${name}.offset`)[0]);
      expect(nested.absmax).toEqual(floats(`${name}.nested_absmax`));
      expect(nested.codes).toEqual(bytes(`${name}.absmax_codes`));
    });

    it('gives back its values, bit for bit', () => {
      const weight = floats(`${name}.w`);
      const { packed, absmax } = quantizeNf4(weight);
      const single = dequantizeNf4({ packed, absmax }, weight.length);
      const restored = restoreAbsmax(nestAbsmax(absmax));
      const double = dequantizeNf4({ packed, absmax: restored }, weight.length);
      if (golden.has(`${name}.dequantised`)) {
        expect(single).toEqual(floats(`${name}.dequantised_single`));
        expect(double).toEqual(floats(`${name}.dequantised`));
      }
      // No value is further off than half the widest gap between codes.
      single.forEach((value, i) => {
        const largest = absmax[Math.floor(i / NF4_BLOCK)];
        expect(Math.abs(value - weight[i])).toBeLessThanOrEqual(0.152 * largest);
      });
    });
  });

  it('takes 1e-38 for the magnitude of a block below normal numbers', () => {
    const values = Float32Array.of(1e-40, -1e-40, 0, 5e-39, 1.2e-38);
    const { packed, absmax } = quantizeNf4(values.subarray(0, 4));
    expect(absmax[0]).toBe(values[3]);
    // 0.01, -0.01, 0 and 0.5.
    expect([...packed]).toEqual([0x77, 0x7c]);
    // The control: a normal magnitude is its block's own.
    expect(quantizeNf4(values).packed[2] >> 4).toBe(15);
  });

  it('takes the nearest code of the rounded product with the reciprocal, for any value', () => {
    const count = 64 * 400;
    const values = Float32Array.from(uniform(count, 3), (value, i) =>
      f32(value * (0.01 + Math.floor(i / NF4_BLOCK) / 50)),
    );
    const { packed, absmax } = quantizeNf4(values);
    values.forEach((value, i) => {
      const scaled = f32(value * f32(1 / absmax[Math.floor(i / NF4_BLOCK)]));
      let code = 0;
      while (code < 15 && scaled > f32((NF4_CODES[code] + NF4_CODES[code + 1]) / 2)) code++;
      const found = i % 2 === 0 ? packed[i >> 1] >> 4 : packed[i >> 1] & 15;
      if (found !== code) expect([i, found]).toEqual([i, code]);
    });
  });

  it('takes sizes from nothing on, and ends an odd one with the code of zero', () => {
    for (const count of [0, 1, 2, 63, 64, 65, 127, 129]) {
      const values = Float32Array.from(uniform(count, 5));
      const { packed, absmax } = quantizeNf4(values);
      expect([packed.length, absmax.length]).toEqual([Math.ceil(count / 2), Math.ceil(count / 64)]);
      if (count % 2 === 1) expect(packed.at(-1)! & 15).toBe(7);
      expect(dequantizeNf4({ packed, absmax }, count)).toHaveLength(count);
      const whole = [...values, ...new Float32Array(64 - (count % 64))];
      const padded = quantizeNf4(Float32Array.from(whole));
      expect(padded.packed.subarray(0, packed.length)).toEqual(packed);
    }
  });

  it('keeps zeros zero, also where the magnitudes were quantised again', () => {
    const values = Float32Array.from(uniform(64 * 9, 6));
    for (let i = 0; i < values.length; i += 3) values[i] = 0;
    values.fill(0, 128, 192);
    const { packed, absmax } = quantizeNf4(values);
    const restored = restoreAbsmax(nestAbsmax(absmax));
    const back = dequantizeNf4({ packed, absmax: restored }, values.length);
    values.forEach((value, i) => {
      if (value === 0) expect(Math.abs(back[i])).toBe(0);
    });
  });

  it('quantises a hundred million weights in some seconds', () => {
    const values = Float32Array.from(uniform(4_000_000, 7));
    quantizeNf4(values.subarray(0, 400_000));
    const started = performance.now();
    const { absmax } = quantizeNf4(values);
    restoreAbsmax(nestAbsmax(absmax));
    const seconds = ((performance.now() - started) / 1000) * 25;
    // A busy machine takes several times what a quiet one does, 0.6 s.
    expect(seconds).toBeLessThan(10);
  });
});

describe('bitsandbytes itself', () => {
  const library = readTensors(goldenPath('bitsandbytes.safetensors'));
  const floats = (name: string) => library.get(name)!.floats;
  const bytes = (name: string) => library.get(name)!.bytes;
  const bitsOf = (value: number) => new Int32Array(Float32Array.of(value).buffer)[0];

  /** The library gives values back in the type of the weight. */
  const rounded = (values: Float32Array, type: string) => {
    if (type === 'float32') return values;
    const words = type === 'bfloat16' ? float32ToBf16(values) : float32ToF16(values);
    return tensorToFloat32(new Uint8Array(words.buffer), type === 'bfloat16' ? 'BF16' : 'F16');
  };

  it('has our code books, to the bit', () => {
    expect(Float32Array.from(NF4_CODES)).toEqual(floats('codes'));
    expect(dynamicMap(true)).toEqual(floats('signed'));
    expect(dynamicMap(false)).toEqual(floats('unsigned'));
  });

  describe.each(['float32', 'bfloat16', 'float16'])('quantises %s weights', (type) => {
    const weight = floats(`${type}.w`);

    it('to our bytes and magnitudes', () => {
      const { packed, absmax } = quantizeNf4(weight);
      expect(packed).toEqual(bytes(`${type}.packed`));
      expect(absmax).toEqual(floats(`${type}.absmax`));
      const nested = nestAbsmax(absmax);
      const [offset] = floats(`${type}.offset`);
      expect(nested.codes).toEqual(bytes(`${type}.absmax_codes`));
      // torch sums in f32 in an order of its own. Sums of 16-bit magnitudes are exact in any order.
      expect(Math.abs(bitsOf(nested.offset) - bitsOf(offset))).toBeLessThanOrEqual(
        type === 'float32' ? 1 : 0,
      );
      const nestedOfTheirs = Math.max(...absmax.map((value) => Math.abs(f32(value - offset))));
      expect(nestedOfTheirs).toBe(floats(`${type}.nested_absmax`)[0]);
      if (type !== 'float32') expect(nested.absmax).toEqual(floats(`${type}.nested_absmax`));
    });

    it('and gives them back as we do, bit for bit', () => {
      const packed = bytes(`${type}.packed`) as Uint8Array<ArrayBuffer>;
      const absmax = floats(`${type}.absmax`) as Float32Array<ArrayBuffer>;
      const single = dequantizeNf4({ packed, absmax }, weight.length);
      expect(rounded(single, type)).toEqual(floats(`${type}.dequantised_single`));
      const restored = restoreAbsmax({
        codes: bytes(`${type}.absmax_codes`) as Uint8Array<ArrayBuffer>,
        absmax: floats(`${type}.nested_absmax`) as Float32Array<ArrayBuffer>,
        offset: floats(`${type}.offset`)[0],
      });
      const double = dequantizeNf4({ packed, absmax: restored }, weight.length);
      expect(rounded(double, type)).toEqual(floats(`${type}.dequantised`));
      // A control: the two differ.
      expect(single).not.toEqual(double);
    });
  });

  it.each(['signed', 'unsigned'])('writes 8 bits as we do, %s', (sign) => {
    const map = dynamicMap(sign === 'signed');
    const boundaries = midpoints(map);
    const values = floats(`${sign}.values`);
    const absmax = floats(`${sign}.absmax`);
    const codes = Uint8Array.from(values, (value, i) =>
      nearestCode(f32(value * f32(1 / absmax[i >> 8])), boundaries),
    );
    expect(codes).toEqual(bytes(`${sign}.codes`));
    const back = Float32Array.from(codes, (code, i) => map[code] * absmax[i >> 8]);
    expect(back).toEqual(floats(`${sign}.dequantised`));
  });
});

describe('the dynamic code book', () => {
  it("is bitsandbytes', with a sign and without", () => {
    const maps = readTensors(goldenPath('dynamic-map.safetensors'));
    expect(dynamicMap(true)).toEqual(maps.get('signed')!.floats);
    expect(dynamicMap(false)).toEqual(maps.get('unsigned')!.floats);
  });

  it('changes a magnitude by no more than its spacing', () => {
    const absmax = Float32Array.from(uniform(1000, 8, 0.02, 0.3));
    const nested = nestAbsmax(absmax);
    const restored = restoreAbsmax(nested);
    restored.forEach((value, i) => {
      const scale = nested.absmax[Math.floor(i / 256)];
      expect(Math.abs(value - absmax[i])).toBeLessThan((0.9 / 64 / 2) * scale + 1e-8);
    });
  });
});
