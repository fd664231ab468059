/**
 * Plan: the starts of LoRA that are drawn and leave the base alone, against what PEFT started from. gaussian: A normal
 * with a deviation of 1 / r, B zero. orthogonal: PEFT's factors out of PEFT's own normals; ours have half the rank each,
 * a product of zero and PEFT's deviation; an odd rank is refused, by the layer's own rank. false: A as by default, B uniform
 * in +-1 / sqrt(r), and DoRA's magnitudes with B A in them. Each is the same for a seed, and none for two.
 */
import { describe, expect, it } from 'vitest';
import { readPeftConfig, type InitLoraWeights, type LoraConfig } from '$lib/config';
import { adaptedModel } from '$lib/decoder';
import { tensorToFloat32 } from '$lib/formats';
import { initAdapter, layoutAdapter, rowNorms } from '$lib/peft';
import { leadingEigenvectors } from '$lib/peft/leading-eigenvectors';
import { drawOrthogonal, orthogonalFactors } from '$lib/peft/orthogonal-factors';
import { goldenPath, openGolden, readTensors, relativeL2 } from '../goldens';
import { matrix, product, transposed } from '../kernels/oracle/matmul';

const GOLDEN = readTensors(goldenPath('drawn-starts.safetensors'));
const CASE = {
  ...{ r: 4, lora_alpha: 6, target_modules: ['k_proj', 'down_proj'] },
  rank_pattern: { down_proj: 6 },
};
/** Enough values that moments are within a few per cent of what they tend to. */
const WIDE = { ...CASE, r: 64, rank_pattern: { down_proj: 96 } };

/** PEFT's tensor of a case, by the layer's path. */
const peftOf = (name: string, path: string, tensor: string) =>
  GOLDEN.get(`${name}.${path}.${tensor}`)!;

const PATHS = [...GOLDEN.keys()]
  .filter((key) => key.startsWith('gaussian.') && key.endsWith('.lora_A'))
  .map((key) => key.slice('gaussian.'.length, -'.lora_A'.length));

async function start(settings: object, seed = 1) {
  const golden = await openGolden('llama-untied-gqa');
  const config = readPeftConfig({ ...settings }, 'test') as LoraConfig;
  const layout = layoutAdapter(adaptedModel(golden.config), config);
  const base = async (name: string) => {
    const stored = (await golden.checkpoint.source(name))!;
    return tensorToFloat32(stored.bytes, stored.dtype).slice();
  };
  const flat = await initAdapter(layout, config, seed, base);
  const find = (path: string, kind: string) => {
    const found = layout.parameters.find((one) => one.path === path && one.kind === kind)!;
    return { shape: found.shape, values: flat.subarray(found.offset, found.offset + found.count) };
  };
  const layer = (path: string) => {
    const [A, B] = [find(path, 'lora_A'), find(path, 'lora_B')];
    const a = matrix(A.shape[0], A.shape[1], A.values);
    const b = matrix(B.shape[0], B.shape[1], B.values);
    return { r: A.shape[0], A: A.values, B: B.values, a, b, ba: product(b, a).data };
  };
  return { flat, base, layout, find, layer };
}

const moments = (values: Float32Array) => {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const square = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, deviation: Math.sqrt(square) };
};
const length = (values: ArrayLike<number>) =>
  Math.sqrt(Array.from(values).reduce((sum, value) => sum + value * value, 0));
const largest = (values: Float32Array) =>
  values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
const isZero = (values: Float32Array) => values.every((value) => value === 0);

it('the goldens have layers of two ranks', () =>
  expect(new Set(PATHS.map((path) => peftOf('false', path, 'lora_A').shape[0]))).toEqual(
    new Set([4, 6]),
  ));

describe('gaussian', () => {
  it('has a normal A with a deviation of 1 / r of its own layer, and B of zeros', async () => {
    const { layer } = await start({ ...WIDE, init_lora_weights: 'gaussian' });
    for (const path of PATHS) {
      const { r, A, B } = layer(path);
      const { mean, deviation } = moments(A);
      expect(Math.abs(mean * r), path).toBeLessThan(0.05);
      expect(Math.abs(deviation * r - 1), path).toBeLessThan(0.05);
      const inside = A.filter((value) => Math.abs(value) * r < 1).length / A.length;
      expect(Math.abs(inside - 0.6827), path).toBeLessThan(0.02);
      expect(isZero(B), path).toBe(true);
    }
  });

  it("is what PEFT's is", () => {
    for (const path of PATHS) {
      const { floats, shape } = peftOf('gaussian', path, 'lora_A');
      // 256 values and more deviate by some 4 %.
      expect(Math.abs(moments(floats).deviation * shape[0] - 1), path).toBeLessThan(0.15);
      expect(isZero(peftOf('gaussian', path, 'lora_B').floats), path).toBe(true);
    }
  });
});

describe('orthogonal', () => {
  it("makes PEFT's factors out of PEFT's normals", () => {
    for (const path of PATHS) {
      const [A, B] = ['lora_A', 'lora_B'].map((name) => peftOf('orthogonal', path, name));
      const shape = [B.shape[0], A.shape[1]] as const;
      const [square, forA, forB] = ['square', 'for_a', 'for_b'].map((name) =>
        Float64Array.from(peftOf('orthogonal', path, name).floats),
      );
      const { a, b } = orthogonalFactors(A.shape[0], shape, { square, forA, forB });
      // PEFT's QR and products are in f32.
      expect(relativeL2(a, A.floats), path).toBeLessThan(2e-6);
      expect(relativeL2(b, B.floats), path).toBeLessThan(2e-6);
    }
  });

  it('asks for as many normals as PEFT draws, in its order', () => {
    for (const path of PATHS) {
      const [A, B] = ['lora_A', 'lora_B'].map((name) => peftOf('orthogonal', path, name));
      const counts: number[] = [];
      drawOrthogonal(A.shape[0], [B.shape[0], A.shape[1]], (count) => {
        counts.push(count);
        return new Float64Array(count);
      });
      expect(counts, path).toEqual(
        ['square', 'for_a', 'for_b'].map((name) => peftOf('orthogonal', path, name).floats.length),
      );
    }
  });

  it('has a product of zero out of factors of half the rank, as wide as PEFT draws them', async () => {
    const { layer } = await start({ ...WIDE, r: 32, init_lora_weights: 'orthogonal' });
    for (const path of PATHS) {
      const { r, A, B, a, b, ba } = layer(path);
      // Rounded to f32: each product of a row and a column is off by some 1e-8 of their lengths.
      expect(length(ba) / (length(A) * length(B)), path).toBeLessThan(1e-7);
      for (const [values, gram] of [
        [A, product(a, transposed(a))],
        [B, product(transposed(b), b)],
      ] as const) {
        const { mean, deviation } = moments(values);
        // R / 2 terms, each a normal times a value of Q, whose squares are 1 / R in the mean; divided by 10.
        // Out of 512 normals and more: a mean is some 4 % of the deviation off, the deviation itself 3 %.
        expect(Math.abs(mean) / deviation, path).toBeLessThan(0.15);
        expect(Math.abs(deviation / Math.sqrt(1 / 200) - 1), path).toBeLessThan(0.1);
        const { values: found } = leadingEigenvectors(gram, r);
        const most = found[0];
        expect(found.filter((value) => value > 1e-6 * most).length, path).toBe(
          Math.min(r / 2, values.length / r),
        );
      }
    }
  });

  it('refuses an odd rank, by the rank of the layer, and says which would do', async () => {
    const { config } = await openGolden('llama-untied-gqa');
    const layoutOf = (settings: object) => () =>
      layoutAdapter(adaptedModel(config), readPeftConfig({ ...CASE, ...settings }, 'test'));
    const init_lora_weights = 'orthogonal';
    expect(layoutOf({ init_lora_weights })).not.toThrow();
    expect(layoutOf({ init_lora_weights, r: 5 })).toThrow(
      expect.objectContaining({
        code: 'odd-rank',
        message:
          'init_lora_weights orthogonal takes even ranks alone; the rank of model.layers.0.self_attn.k_proj is 5. Take 6, or another start.',
        details: { name: 'model.layers.0.self_attn.k_proj', found: 5, allowed: 6 },
      }),
    );
    expect(layoutOf({ init_lora_weights, rank_pattern: { down_proj: 3 } })).toThrow(
      /the rank of model\.layers\.0\.mlp\.down_proj is 3/,
    );
    // No layer has that rank.
    expect(layoutOf({ init_lora_weights, r: 5, rank_pattern: { '.*': 2 } })).not.toThrow();
    for (const other of [true, false, 'gaussian', 'pissa', 'olora'])
      expect(layoutOf({ init_lora_weights: other, r: 5 })).not.toThrow();
  });
});

describe('false', () => {
  it('has the A of the default start, and B uniform in +-1 / sqrt(r)', async () => {
    const [{ layer }, usual] = [
      await start({ ...WIDE, init_lora_weights: false }),
      await start(WIDE),
    ];
    for (const path of PATHS) {
      const { r, A, B, ba } = layer(path);
      expect(A, path).toEqual(usual.layer(path).A);
      const bound = 1 / Math.sqrt(r);
      const { mean, deviation } = moments(B);
      expect(Math.abs(mean) / bound, path).toBeLessThan(0.05);
      expect(Math.abs((deviation * Math.sqrt(3)) / bound - 1), path).toBeLessThan(0.05);
      expect(largest(B), path).toBeLessThanOrEqual(bound);
      expect(largest(B) / bound, path).toBeGreaterThan(0.97);
      expect(length(ba), path).toBeGreaterThan(0.1);
    }
  });

  it("is within what PEFT's is within", () => {
    for (const path of PATHS) {
      const [A, B] = ['lora_A', 'lora_B'].map((name) => peftOf('false', path, name));
      for (const [{ floats }, bound] of [
        [A, 1 / Math.sqrt(A.shape[1])],
        [B, 1 / Math.sqrt(B.shape[1])],
      ] as const) {
        expect(largest(floats), path).toBeLessThanOrEqual(bound);
        expect(largest(floats) / bound, path).toBeGreaterThan(0.9);
      }
    }
  });

  it("begins DoRA's magnitudes at the rows of W + s B A, as PEFT does", async () => {
    const { base, find, layer, layout } = await start({
      ...{ ...CASE, init_lora_weights: false, use_dora: true },
    });
    for (const path of PATHS) {
      const weight = await base(`${path}.weight`);
      const [a, b, magnitude] = ['lora_A', 'lora_B', 'magnitude'].map((name) =>
        peftOf('false', path, name),
      );
      const [rank, inFeatures] = a.shape;
      const shape = [b.shape[0], inFeatures] as const;
      const { scale } = layout.lora.get(path)!;
      const lowRank = { a: a.floats, b: b.floats, rank, scale };
      expect(relativeL2(rowNorms(weight, shape, lowRank), magnitude.floats), path).toBeLessThan(
        1e-6,
      );
      const tuned = layer(path).ba.map((value, i) => weight[i] + scale * value);
      const rows = Array.from({ length: shape[0] }, (_, row) =>
        length(tuned.slice(row * inFeatures, (row + 1) * inFeatures)),
      );
      const found = find(path, 'lora_magnitude_vector').values;
      expect(relativeL2(found, rows), path).toBeLessThan(1e-6);
      // The rows of W alone are others.
      const alone = rowNorms(weight, shape, { ...lowRank, scale: 0 });
      expect(relativeL2(found, alone), path).toBeGreaterThan(1e-2);
    }
  });
});

describe.each<InitLoraWeights>(['gaussian', 'orthogonal', false])('%s', (init_lora_weights) => {
  it('is the same for a seed, and another for another', async () => {
    const settings = { ...CASE, init_lora_weights };
    const { flat, layer } = await start(settings, 7);
    expect((await start(settings, 7)).flat).toEqual(flat);
    const other = await start(settings, 8);
    for (const path of PATHS) expect(other.layer(path).A, path).not.toEqual(layer(path).A);
    const ofOneShape = PATHS.filter((path) => path.endsWith('k_proj')).map((path) => layer(path).A);
    expect(ofOneShape.length).toBeGreaterThan(1);
    expect(ofOneShape[0]).not.toEqual(ofOneShape[1]);
  });
});
