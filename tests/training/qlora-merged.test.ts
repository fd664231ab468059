/**
 * What merging makes of an adapter that was trained over 4 bits. PEFT adds it to the values that the 4 bits stand for
 * and quantises the sum again; the sum is held here to PEFT's, and its 4 bits too. Our export adds the adapter to the
 * weights of the file instead (tests/reference/README.md says why): held by what it adds.
 */
import { describe, expect, it } from 'vitest';
import { mergedSource, type TensorSource } from '$lib/decoder';
import {
  dequantizeNf4,
  nestAbsmax,
  quantizeNf4,
  restoreAbsmax,
  tensorToFloat32,
  type Nf4Weights,
} from '$lib/formats';
import { openAdapterFolder } from '../../src/cli/model-folder';
import { goldenPath, openGolden, readJson, readTensors, relativeL2 } from '../goldens';

const FOLDER = 'methods/qlora';
const golden = (name: string) => readTensors(goldenPath(`${FOLDER}/${name}.safetensors`));

/** The codes of one weight, and the magnitudes that its second quantisation leaves. */
function fourBits(tensors: ReturnType<typeof golden>, name: string): Nf4Weights {
  const part = (key: string) => tensors.get(`${name}.${key}`)!;
  const nested = {
    codes: new Uint8Array(part('absmax_codes').bytes),
    absmax: part('nested_absmax').floats,
    offset: part('offset').floats[0],
  };
  return {
    packed: new Uint8Array(part('packed').bytes),
    absmax: restoreAbsmax({ ...nested, absmax: new Float32Array(nested.absmax) }),
  };
}

const difference = (a: Float32Array, b: Float32Array) => a.map((value, i) => value - b[i]);

describe('an adapter over 4 bits, merged', async () => {
  const { model } = readJson<{ model: string }>(`${FOLDER}/case.json`);
  const { config, checkpoint } = await openGolden(model);
  const adapter = await openAdapterFolder(goldenPath(`${FOLDER}/final-adapter`), config);
  const merged = golden('merged');
  const base = golden('quantised');
  const again = golden('merged-quantised');
  const names = [...merged.keys()];

  const quantised: TensorSource = async (name) => {
    const stored = await checkpoint.source(name);
    if (!stored || !base.has(`${name}.packed`)) return stored;
    const count = stored.shape.reduce((product, size) => product * size, 1);
    const { buffer } = dequantizeNf4(fourBits(base, name), count);
    return { dtype: 'F32', shape: stored.shape, bytes: new Uint8Array(buffer) };
  };
  const floats = async (source: TensorSource, name: string) => {
    const { bytes, dtype } = (await source(name))!;
    return new Float32Array(tensorToFloat32(bytes, dtype));
  };

  it('is every linear layer of the blocks', () => {
    expect(names).toHaveLength(7 * config.layerCount);
    for (const name of names) expect([...base.keys(), ...again.keys()]).toContain(`${name}.packed`);
  });

  it.each(names)(
    '%s: the sum over the 4 bits is that of PEFT, and so are its own 4 bits',
    async (name) => {
      const found = await floats(mergedSource(quantised, adapter), name);
      expect(relativeL2(found, merged.get(name)!.floats)).toBeLessThan(1e-6);
      const expected = fourBits(again, name);
      const { packed, absmax } = quantizeNf4(found);
      expect(packed).toEqual(expected.packed);
      expect(relativeL2(restoreAbsmax(nestAbsmax(absmax)), expected.absmax)).toBeLessThan(1e-6);
    },
  );

  it.each(names)('%s: the weights of the file get what PEFT adds', async (name) => {
    const file = await floats(checkpoint.source, name);
    const rounded = await floats(quantised, name);
    const sum = merged.get(name)!.floats;
    const added = difference(sum, rounded);
    const exported = await floats(mergedSource(checkpoint.source, adapter), name);
    expect(relativeL2(difference(exported, file), added)).toBeLessThan(1e-4);
  });
});
