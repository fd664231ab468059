/**
 * Plan: an image shows what a tensor holds, whole or in part, as it lies or in panels, over one layer and several; its
 * memory is told beforehand, shared by the plans of an arena, and given back; what it cannot show is refused.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  Arena,
  image,
  IMAGE_HEIGHT_BITS,
  IMAGE_WIDTH_BITS,
  panelBytes,
  PlanBuilder,
  write,
  type Gpu,
  type ImagePart,
  type Plan,
  type Tensor,
} from '$lib/gpu';
import { checkImage } from '$lib/gpu/image';
import { requestTestGpu } from '../dawn';
import { limitMemory } from './scarce-memory';

const FROM_IMAGE = `
@group(0) @binding(0) var x: texture_storage_2d_array<rgba32uint, read>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<u32>>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  for (var i = id.x; i < arrayLength(&out); i += 64u * groups.x) {
    let row = i >> ${IMAGE_WIDTH_BITS}u;
    let place = vec2<u32>(i & ${2 ** IMAGE_WIDTH_BITS - 1}u, row & ${2 ** IMAGE_HEIGHT_BITS - 1}u);
    out[i] = textureLoad(x, place, row >> ${IMAGE_HEIGHT_BITS}u);
  }
}`;

const FILL = `
@group(0) @binding(0) var<storage, read_write> x: array<u32>;
struct Value { value: u32 }
@group(0) @binding(1) var<uniform> given: Value;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  x[id.x] = given.value;
}`;

const LAYER_BYTES = 16 * 2 ** (IMAGE_WIDTH_BITS + IMAGE_HEIGHT_BITS);
const ROW_BYTES = 16 * 2 ** IMAGE_WIDTH_BITS;

/** vitest's own comparison takes a second a megabyte. */
function expectWords(found: Uint32Array, expected: Uint32Array): void {
  expect(found.length).toBe(expected.length);
  const wrong = found.findIndex((word, i) => word !== expected[i]);
  expect(wrong, `${found[wrong]} for ${expected[wrong]}`).toBe(-1);
}

describe('image', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestTestGpu();
  });
  afterAll(() => gpu.dispose());

  function show(plan: PlanBuilder, x: Tensor, part?: ImagePart): Tensor {
    const out = plan.tensor('out', [(part?.sizeBytes ?? x.sizeBytes) / 4], 'u32');
    plan.dispatch({
      label: '/from-image',
      kernel: { name: 'from-image', wgsl: FROM_IMAGE },
      bindings: [image(x, part), write(out)],
      grid: [64],
    });
    return plan.keep(out);
  }

  async function shown(words: Uint32Array, part?: ImagePart): Promise<Uint32Array> {
    const plan = new PlanBuilder(gpu, 'shown');
    const x = gpu.createTensor('x', [words.length], 'u32', words);
    const out = show(plan, x, part);
    const arena = new Arena(gpu, 'arena');
    const built = await plan.build(arena);
    await built.run();
    const found = new Uint32Array(await gpu.readBytes(out));
    built.dispose();
    arena.dispose();
    gpu.destroyTensor(x);
    return found;
  }

  const counted = (length: number) => Uint32Array.from({ length }, (_, i) => i);

  it.each([
    ['less than a row', 0, 48],
    ['a row', 0, ROW_BYTES],
    ['rows and a rest', 32, 5 * ROW_BYTES + 16],
    ['a layer', 0, LAYER_BYTES],
    ['layers, rows and a rest', 16, 2 * LAYER_BYTES + 3 * ROW_BYTES + 32],
  ])('shows bytes as they lie: %s', async (_, start, sizeBytes) => {
    const words = counted((start + sizeBytes + 64) / 4);
    const found = await shown(words, { start, sizeBytes });
    expectWords(found, words.subarray(start / 4, (start + sizeBytes) / 4));
  });

  it.each([
    ['one panel', 0, 10, 256, 256],
    ['one narrow panel', 0, 10, 128, 128],
    ['panels in a layer', 64, 22, 768, 256],
    ['narrow panels in a layer', 64, 22, 384, 128],
    ['a panel that ends with a layer', 0, 2 ** IMAGE_HEIGHT_BITS, 512, 256],
    ['panels cut by layers', 32, 2 ** IMAGE_HEIGHT_BITS - 6, 768, 256],
    ['narrow panels cut by layers', 32, 2 ** (IMAGE_HEIGHT_BITS + 1) - 6, 384, 128],
    ['panels of several layers', 0, 2 ** (IMAGE_HEIGHT_BITS + 1) + 10, 512, 256],
    ['a panel cut, then of whole layers', 0, 3 * 2 ** IMAGE_HEIGHT_BITS + 10, 512, 256],
    ['narrow panels of several layers', 0, 2 ** (IMAGE_HEIGHT_BITS + 2) + 10, 384, 128],
  ])('shows a matrix in panels: %s', async (_, start, rows, rowBytes, width) => {
    expect(panelBytes(rowBytes)).toBe(width);
    const sizeBytes = rows * rowBytes;
    const words = counted((start + sizeBytes + 64) / 4);
    const found = await shown(words, { start, sizeBytes, rowBytes });
    const [perRow, perPanel] = [rowBytes / 4, width / 4];
    const expected = new Uint32Array(sizeBytes / 4);
    for (let row = 0; row < rows; row++)
      for (let i = 0; i < perRow; i++) {
        const panel = Math.floor(i / perPanel);
        const place = (panel * rows + row) * perPanel + (i % perPanel);
        expected[place] = words[start / 4 + row * perRow + i];
      }
    expectWords(found, expected);
  });

  it('has no panels of rows that none divides', () => {
    expect([64, 192, 320, 1152, 1280].map(panelBytes)).toEqual([
      undefined,
      undefined,
      undefined,
      128,
      256,
    ]);
  });

  it('is copied again where the same bytes are shown in another order', async () => {
    const words = counted(1024);
    const x = gpu.createTensor('x', [words.length], 'u32', words);
    const plan = new PlanBuilder(gpu, 'orders');
    const linear = { start: 0, sizeBytes: 4 * words.length };
    const panels = { ...linear, rowBytes: 512 };
    const outs = [linear, panels, linear].map((part) => show(plan, x, part));
    const arena = new Arena(gpu, 'arena');
    const built = await plan.build(arena);
    await built.run();
    const [first, second, third] = await Promise.all(outs.map((out) => gpu.readBytes(out)));
    expect(new Uint32Array(first)).toEqual(words);
    expect(new Uint32Array(second)).not.toEqual(words);
    expect(new Uint32Array(third)).toEqual(words);
    built.dispose();
    arena.dispose();
    gpu.destroyTensor(x);
  });

  it('is copied again where a dispatch wrote what it shows', async () => {
    const plan = new PlanBuilder(gpu, 'written');
    const x = plan.tensor('x', [64], 'u32');
    const fill = (value: number) =>
      plan.dispatch({
        label: '/fill',
        kernel: { name: 'fill', wgsl: FILL },
        bindings: [write(x)],
        uniforms: [value],
        grid: [1],
      });
    fill(7);
    const first = show(plan, x);
    fill(9);
    const second = show(plan, x);
    const arena = new Arena(gpu, 'arena');
    const built = await plan.build(arena);
    await built.run();
    expectWords(new Uint32Array(await gpu.readBytes(first)), new Uint32Array(64).fill(7));
    expectWords(new Uint32Array(await gpu.readBytes(second)), new Uint32Array(64).fill(9));
    built.dispose();
    arena.dispose();
  });

  it('is shared by the plans of an arena, and its memory told beforehand', async () => {
    const baseline = [gpu.liveCount, gpu.liveBytes];
    const words = counted(LAYER_BYTES / 4 + 400);
    const x = gpu.createTensor('x', [words.length], 'u32', words);
    const arena = new Arena(gpu, 'arena');
    const built: { plan: Plan; out: Tensor; start: number }[] = [];
    // The first image is too small for the second plan, which makes another; the third finds that, and both slots.
    const small = { start: LAYER_BYTES, bytes: 1600, layers: 1 };
    const large = { start: 0, bytes: LAYER_BYTES + 1600, layers: 2 };
    const second = { start: 32, bytes: LAYER_BYTES + 1568, layers: 2 };
    for (const [{ start, bytes, layers }, arenaBytes] of [
      [small, small.bytes + LAYER_BYTES],
      [large, small.bytes + large.bytes + 3 * LAYER_BYTES],
      [second, small.bytes + large.bytes + 3 * LAYER_BYTES],
    ] as const) {
      const plan = new PlanBuilder(gpu, `from ${start}`);
      const out = show(plan, x, { start, sizeBytes: bytes });
      expect(plan.predictBytes()).toBe(bytes + layers * LAYER_BYTES);
      built.push({ plan: await plan.build(arena), out, start });
      expect(arena.sizeBytes).toBe(arenaBytes);
    }
    for (const { plan, out, start } of [...built, built[1], built[0]]) {
      await plan.run();
      expectWords(new Uint32Array(await gpu.readBytes(out)), words.subarray(start / 4));
    }
    for (const { plan } of built) plan.dispose();
    arena.dispose();
    gpu.destroyTensor(x);
    expect([gpu.liveCount, gpu.liveBytes]).toEqual(baseline);
  });

  it('that finds no memory is told of, and leaves nothing behind', async () => {
    const scarce = await requestTestGpu();
    const x = scarce.createTensor('x', [64], 'u32');
    const baseline = [scarce.liveCount, scarce.liveBytes];
    limitMemory(scarce.device, LAYER_BYTES - 1);
    const plan = new PlanBuilder(scarce, 'scarce');
    show(plan, x);
    const arena = new Arena(scarce, 'arena');
    await expect(plan.build(arena)).rejects.toMatchObject({ code: 'out-of-memory' });
    arena.dispose();
    expect([scarce.liveCount, scarce.liveBytes]).toEqual(baseline);
    scarce.dispose();
  });

  it('refuses parts of texels and of panels, and more layers than the device allows', () => {
    const plan = new PlanBuilder(gpu, 'refused');
    const x = plan.tensor('x', [400]);
    const use = (sizeBytes: number, start = 0, rowBytes?: number) =>
      checkImage(x, { start, sizeBytes, rowBytes }, 3);
    use(1584, 16);
    use(1024, 0, 256);
    use(1024, 0, 128);
    expect(() => use(404)).toThrow(/404 bytes from 0 on, both must be multiples of 16/);
    expect(() => use(400, 4)).toThrow(/400 bytes from 4 on/);
    expect(() => use(768, 0, 192)).toThrow(/rows of 192; a row must be a multiple of 128/);
    expect(() => use(768, 0, 256)).toThrow(/the rows of an even number/);
    expect(() => use(1600, 16)).toThrow(/x: .* 1600 bytes from 16 on.* holds 1600/);
    const large = plan.tensor('large', [LAYER_BYTES]);
    checkImage(large, { start: 0, sizeBytes: 3 * LAYER_BYTES }, 3);
    expect(() => checkImage(large, undefined, 3)).toThrow(/image of 4 layers, this GPU allows 3/);
    const most = gpu.device.limits.maxTextureArrayLayers;
    expect(() => show(plan, plan.tensor('largest', [(most * LAYER_BYTES) / 4 + 4]))).toThrow(
      /image of \d+ layers/,
    );
  });
});
