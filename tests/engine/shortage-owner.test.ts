/**
 * A training step and talk share one device, and a shortage of memory is told to whoever made the buffer. Plan:
 * - talk that runs short in the middle of a step is told so, and the run ends in the bits of one beside which nobody
 *   talks; control: with memory, the same talk is held
 * - a step that runs short ends its run, and talk that is prepared meanwhile is held, with its adapter's values; control:
 *   with memory, both go on
 * - what finds no memory while a plan runs, made outside as ONNX Runtime does, is none of the plan's; control: what the
 *   plan's own owner makes is
 * - a reading that finds no memory is told to its reader, and to nobody after it
 */
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { FULL_TUNING, readLoraConfig, readTrainingArguments, type PeftConfig } from '$lib/config';
import { adaptedModel, ModelWeights } from '$lib/decoder';
import { holdLoaded, type GpuBase, type HeldInputs } from '$lib/engine/open-model-inputs';
import { Arena, PlanBuilder, write, type Gpu, type Tensor } from '$lib/gpu';
import { layoutAdapter, type LoadedAdapter } from '$lib/peft';
import { Trainer, type TokenRow } from '$lib/training';
import { requestTestGpu } from '../dawn';
import { openGolden } from '../goldens';
import { limitMemory } from '../gpu/scarce-memory';

const METHODS: Record<string, PeftConfig> = {
  LoRA: readLoraConfig({ r: 2 }, 'test'),
  DoRA: readLoraConfig({ r: 2, use_dora: true }, 'test'),
  'full fine-tuning': FULL_TUNING,
};

const rowOf = (length: number): TokenRow => {
  const inputIds = Int32Array.from({ length }, (_, t) => (t * 7) % 90);
  return { inputIds, labels: inputIds };
};
/** The second step has a batch of another shape than the first, whose plan is made when it comes. */
const ROWS = [40, 40, 8, 8].map(rowOf);

describe('a shortage of memory', () => {
  let gpu: Gpu;
  let base: GpuBase;
  /** Bytes beyond what is live now. */
  let allow: (bytes: number) => void;

  beforeAll(async () => {
    gpu = await requestTestGpu();
    const { config, checkpoint } = await openGolden('llama-tied');
    base = { gpu, config, weights: await ModelWeights.upload(gpu, config, checkpoint.source) };
    const unlimitedBytes = gpu.liveBytes;
    const limit = limitMemory(gpu.device, Infinity);
    allow = (bytes) => limit(gpu.liveBytes - unlimitedBytes + bytes);
  });
  afterEach(() => {
    vi.restoreAllMocks();
    allow(Infinity);
  });
  afterAll(() => gpu.dispose());

  function loadedAdapter(config: PeftConfig): LoadedAdapter {
    const layout = layoutAdapter(adaptedModel(base.config), config);
    const values = Float32Array.from({ length: layout.flatCount }, (_, i) => 1 + (i % 251) / 256);
    return { config, layout, values };
  }

  const createTrainer = () =>
    Trainer.create({
      ...{ gpu, config: base.config, weights: base.weights, rows: ROWS },
      peft: METHODS.LoRA,
      args: readTrainingArguments(
        { max_steps: 3, per_device_train_batch_size: 2, shuffle: false },
        'test',
      ),
    });

  /** Parameters after a run, in the midst of whose submissions `act` is called once. */
  async function runWith(act: () => void, at: number): Promise<Float32Array> {
    const trainer = await createTrainer();
    const createEncoder = gpu.device.createCommandEncoder.bind(gpu.device);
    let calls = 0;
    const spy = vi.spyOn(gpu.device, 'createCommandEncoder').mockImplementation((descriptor) => {
      if (calls++ === at) act();
      return createEncoder(descriptor);
    });
    try {
      await trainer.run();
      expect(calls).toBeGreaterThan(at);
      return await trainer.adapter.readParameters();
    } finally {
      spy.mockRestore();
      trainer.dispose();
    }
  }

  for (const [name, config] of Object.entries(METHODS))
    it(`of talk with ${name} in the middle of a step is told to it alone`, async () => {
      const adapter = loadedAdapter(config);
      const before = [gpu.liveCount, gpu.liveBytes];
      const expected = await runWith(() => {}, 0);
      // Within the first step, and those after it.
      for (const at of [0, 1, 2, 4, 6]) {
        for (const isShort of [true, false]) {
          let talk: Promise<HeldInputs | Error> | undefined;
          const learned = await runWith(() => {
            if (isShort) allow(0);
            talk = holdLoaded(base, adapter).catch((error: Error) => error);
            allow(Infinity);
          }, at);
          expect(learned).toEqual(expected);
          const told = await talk;
          if (isShort) expect(told).toMatchObject({ code: 'out-of-memory' });
          else (told as HeldInputs).giveBack!();
        }
        expect([gpu.liveCount, gpu.liveBytes]).toEqual(before);
      }
    });

  it.each([
    ['of a step is told to it, and not to talk', true],
    ['control: with memory for it step and talk go on', false],
  ])('%s', async (_title, isShort) => {
    const adapter = loadedAdapter(METHODS.LoRA);
    const before = [gpu.liveCount, gpu.liveBytes];
    const trainer = await createTrainer();
    const createBuffer = gpu.device.createBuffer.bind(gpu.device);
    let talk: Promise<HeldInputs> | undefined;
    vi.spyOn(gpu.device, 'createBuffer').mockImplementation((descriptor) => {
      if (talk || !descriptor.label?.startsWith('targets ')) return createBuffer(descriptor);
      if (isShort) allow(0);
      const made = createBuffer(descriptor);
      allow(Infinity);
      talk = holdLoaded(base, adapter);
      // Until the run has ended.
      talk.catch(() => undefined);
      return made;
    });
    const running = trainer.run();
    if (isShort)
      await expect(running).rejects.toMatchObject({
        code: 'out-of-memory',
        message: expect.stringContaining('targets ') as string,
      });
    else await running;
    expect(trainer.step).toBe(isShort ? 1 : 3);
    const { inputs, giveBack } = await talk!;
    for (const { key, offset, count } of adapter.layout.parameters)
      expect(await gpu.readFloats(inputs.tensors.get(key) as Tensor)).toEqual(
        adapter.values.slice(offset, offset + count),
      );
    giveBack!();
    trainer.dispose();
    await gpu.idle();
    expect([gpu.liveCount, gpu.liveBytes]).toEqual(before);
  });

  it('of what is made outside while a plan runs is none of the plan’s', async () => {
    const builder = new PlanBuilder(gpu, 'a plan');
    const out = builder.keep(builder.tensor('out', [64]));
    const wgsl = `@group(0) @binding(0) var<storage, read_write> out: array<f32>;
      @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) { out[id.x] = 1; }`;
    const kernel = { name: 'ones', wgsl };
    builder.dispatch({ label: '/ones', kernel, bindings: [write(out)], grid: [1] });
    const arena = new Arena(gpu, 'arena');
    const plan = await builder.build(arena);
    const shortly = (make: () => GPUBuffer): GPUBuffer => {
      allow(0);
      const made = make();
      allow(Infinity);
      return made;
    };
    const descriptor = { label: 'outside', size: 64, usage: 128 };

    const running = plan.run();
    const outside = shortly(() => gpu.device.createBuffer(descriptor));
    await running;
    outside.destroy();

    const another = gpu.forOwner();
    shortly(() => another.createBuffer({ label: 'of another', sizeBytes: 64 }));
    await plan.run();
    await expect(another.checked('another', () => undefined)).rejects.toThrow(/^of another/);
    await another.checked('told once', () => undefined);

    shortly(() => gpu.createBuffer({ label: 'its own', sizeBytes: 64 }));
    await expect(plan.run()).rejects.toThrow(/^its own/);
    plan.dispose();
    arena.dispose();
  });

  it('of a reading is told to its reader, and to nobody after it', async () => {
    const tensor = gpu.createTensor('read', [4], 'f32', Float32Array.of(1, 2, 3, 4));
    const createBuffer = gpu.device.createBuffer.bind(gpu.device);
    const spy = vi.spyOn(gpu.device, 'createBuffer').mockImplementation((descriptor) => {
      const made = createBuffer(descriptor);
      // Of no use from the start, as an invalid one is.
      made.destroy();
      return made;
    });
    allow(0);
    const reading = gpu.readFloats(tensor);
    allow(Infinity);
    spy.mockRestore();
    await gpu.checked('meanwhile', () => undefined);
    await expect(reading).rejects.toMatchObject({ code: 'out-of-memory' });
    await gpu.checked('after it', () => undefined);
    expect(await gpu.readFloats(tensor)).toEqual(Float32Array.of(1, 2, 3, 4));
    gpu.destroyTensor(tensor);
  });
});
