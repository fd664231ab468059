/**
 * Plan: codes, packed bytes, magnitudes and their second quantisation equal bitsandbytes' exactly, and values bit
 * for bit, on matrices with ties, tails and blocks of zeros; the code books themselves; every value against the
 * rule written plainly; sizes from 0; a hundred million weights in some seconds.
 */
import { describe, expect, it } from 'vitest';
import {
  dequantizeNf4,
  dynamicMap,
  nestAbsmax,
  NF4_BLOCK,
  NF4_CODES,
  quantizeNf4,
  restoreAbsmax,
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
