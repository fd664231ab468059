/**
 * A plan is a fixed list of dispatches over fixed shapes. Building it assigns memory by lifetime,
 * compiles every pipeline in parallel and makes every bind group; running it allocates nothing.
 */
import { assignSlots, type Arena, type Lifetime } from './arena';
import { BUFFER_USAGE, type Gpu } from './device';
import { GpuError } from './errors';
import {
  checkImage,
  IMAGE_DIMENSION,
  imageBytes,
  imageLayers,
  PlanImages,
  wholePart,
  type ImageCopy,
  type ImagePart,
} from './image';
import type { Access, KernelSource, Pipeline } from './pipeline';
import { rootOf, tensorBytes, type DType, type GpuMemory, type Tensor } from './tensor';

export interface Binding {
  readonly tensor: Tensor;
  readonly access: Access;
  /** What an image shows of the tensor; all of it when left out. */
  readonly part?: ImagePart;
}

export const read = (tensor: Tensor): Binding => ({ tensor, access: 'read' });
export const write = (tensor: Tensor): Binding => ({ tensor, access: 'write' });
export const update = (tensor: Tensor): Binding => ({ tensor, access: 'update' });
/** Reads a copy, made before the dispatch, in a texture that the plan's dispatches share. */
export const image = (tensor: Tensor, part?: ImagePart): Binding => ({
  tensor,
  access: 'image',
  part,
});

const isWritten = (access: Access): boolean => access === 'write' || access === 'update';

export interface Dispatch {
  /** Path of the op in the model, such as `/model/layers.0/mlp/gate_proj`. */
  readonly label: string;
  readonly kernel: Omit<KernelSource, 'access' | 'hasUniforms'>;
  /** `@group(0) @binding(0..)`, in order. The same memory may not be both read and written. */
  readonly bindings: readonly Binding[];
  /** u32 fields of the uniform struct at the binding after the tensors. */
  readonly uniforms?: readonly number[];
  /** Workgroups in x, y, z. */
  readonly grid: readonly [number, number?, number?];
}

class PlanTensor implements Tensor {
  memory: GpuMemory | undefined;
  constructor(
    readonly label: string,
    readonly shape: readonly number[],
    readonly dtype: DType,
    readonly sizeBytes: number,
  ) {}
}

interface Recorded {
  readonly dispatch: Dispatch;
  readonly kernel: KernelSource;
}

/** Sizes that dispatches read, all in one buffer. */
interface PlanUniforms {
  readonly buffer: GPUBuffer;
  /** Bytes, one for each dispatch. */
  readonly offsets: readonly number[];
  readonly sizes: readonly number[];
}

export class PlanBuilder {
  private recorded: Recorded[] = [];
  private readonly kept = new Set<Tensor>();

  constructor(
    readonly gpu: Gpu,
    readonly label: string,
  ) {}

  /** A tensor of the plan's own: memory is given at build, and shared with others by lifetime. */
  tensor(label: string, shape: readonly number[], dtype: DType = 'f32'): Tensor {
    return new PlanTensor(label, shape, dtype, tensorBytes(shape, dtype));
  }

  /** Keeps a tensor of the plan readable after the plan has run. */
  keep(tensor: Tensor): Tensor {
    this.kept.add(rootOf(tensor));
    return tensor;
  }

  /** @throws GpuError `plan` for an empty grid, `limit` for one or a binding larger than the adapter allows */
  dispatch(dispatch: Dispatch): void {
    const limits = this.gpu.device.limits;
    for (const size of dispatch.grid)
      if (size !== undefined && (size < 1 || size > limits.maxComputeWorkgroupsPerDimension))
        throw new GpuError(
          'limit',
          `${dispatch.label} (${dispatch.kernel.name}) asks for a grid of ${dispatch.grid}, 1 to ${limits.maxComputeWorkgroupsPerDimension} a dimension are allowed.`,
        );
    for (const { tensor, access, part } of dispatch.bindings)
      if (access === 'image') checkImage(tensor, part, limits.maxTextureArrayLayers);
    for (const { tensor } of dispatch.bindings)
      if (tensor.sizeBytes > limits.maxStorageBufferBindingSize)
        throw new GpuError(
          'limit',
          `${tensor.label} has ${tensor.sizeBytes} bytes, this GPU binds at most ${limits.maxStorageBufferBindingSize}.`,
        );
    this.recorded.push({
      dispatch,
      kernel: {
        ...dispatch.kernel,
        access: dispatch.bindings.map((binding) => binding.access),
        hasUniforms: dispatch.uniforms !== undefined,
      },
    });
  }

  get dispatchCount(): number {
    return this.recorded.length;
  }

  /** Leaves out dispatches of which all that they write is the plan's own, not kept and not read by another. */
  dropUnread(): void {
    const needed = new Set<Tensor>();
    const live: Recorded[] = [];
    for (const entry of [...this.recorded].reverse()) {
      const uses = entry.dispatch.bindings.map(({ tensor, access }) => ({
        root: rootOf(tensor),
        access,
      }));
      const isLive = uses.some(
        ({ root, access }) =>
          isWritten(access) &&
          (!(root instanceof PlanTensor) || this.kept.has(root) || needed.has(root)),
      );
      if (!isLive) continue;
      live.push(entry);
      for (const { root, access } of uses) if (access !== 'write') needed.add(root);
    }
    this.recorded = live.reverse();
  }

  /** Slots that `build` would ask for: the plan's memory, known before anything is allocated. */
  predictBytes(): number {
    const slots = assignSlots(this.lifetimes()).sizes.reduce((sum, size) => sum + size, 0);
    return this.imageLayerCounts().reduce((sum, layers) => sum + imageBytes(layers), slots);
  }

  /**
   * @param arena shared by plans that never run at the same time; the caller disposes of it
   * @throws GpuError `plan` when a tensor is read before it is written, `shader`, `out-of-memory`
   */
  async build(arena: Arena): Promise<Plan> {
    const lifetimes = this.lifetimes();
    const slots = assignSlots(lifetimes);
    const pipelines = await Promise.all(
      this.recorded.map(({ kernel }) => this.gpu.compile(kernel)),
    );
    let uniforms: PlanUniforms | undefined;
    try {
      return await this.gpu.checked(`${this.label}: preparing`, () => {
        const buffers = arena.acquire(slots.sizes);
        const images = new PlanImages(arena.acquireImages(this.imageLayerCounts()));
        for (const [tensor, slot] of slots.slotOf)
          (tensor as PlanTensor).memory = { buffer: buffers[slot], offset: 0 };
        uniforms = this.createUniforms();
        const steps = this.recorded.map(({ dispatch }, index) =>
          this.prepare(dispatch, pipelines[index], images, uniforms, index),
        );
        return new Plan(this.gpu, this.label, steps, uniforms?.buffer);
      });
    } catch (error) {
      if (uniforms) this.gpu.destroyBuffer(uniforms.buffer);
      throw error;
    }
  }

  private lifetimes(): Lifetime[] {
    const spans = new Map<Tensor, { first: number; last: number }>();
    this.recorded.forEach(({ dispatch }, index) => {
      for (const { tensor, access } of dispatch.bindings) {
        const root = rootOf(tensor);
        if (!(root instanceof PlanTensor)) continue;
        const span = spans.get(root);
        if (span) span.last = index;
        else if (access === 'write') spans.set(root, { first: index, last: index });
        else
          throw new GpuError(
            'plan',
            `${dispatch.label} (${dispatch.kernel.name}) reads ${root.label} before anything wrote it.`,
          );
      }
    });
    return [...spans].map(([tensor, { first, last }]) => ({
      tensor,
      first,
      last: this.kept.has(tensor) ? Infinity : last,
    }));
  }

  /** Of the images that dispatches share: the first shows the first that each asks for. */
  private imageLayerCounts(): number[] {
    const counts: number[] = [];
    for (const { dispatch } of this.recorded)
      imagesOf(dispatch).forEach(({ sizeBytes }, index) => {
        counts[index] = Math.max(counts[index] ?? 1, imageLayers(sizeBytes));
      });
    return counts;
  }

  private createUniforms(): PlanUniforms | undefined {
    const align = Math.max(256, this.gpu.device.limits.minUniformBufferOffsetAlignment);
    const offsets: number[] = [];
    const sizes: number[] = [];
    let end = 0;
    for (const { dispatch } of this.recorded) {
      offsets.push(end);
      const size = Math.ceil(((dispatch.uniforms?.length ?? 0) * 4) / 16) * 16;
      sizes.push(size);
      if (size > 0) end += Math.ceil(size / align) * align;
    }
    if (end === 0) return undefined;
    const words = new Uint32Array(end / 4);
    this.recorded.forEach(({ dispatch }, index) => {
      if (dispatch.uniforms) words.set(dispatch.uniforms, offsets[index] / 4);
    });
    const buffer = this.gpu.createBuffer({
      label: `${this.label}/uniforms`,
      sizeBytes: end,
      usage: BUFFER_USAGE.UNIFORM | BUFFER_USAGE.COPY_DST,
    });
    this.gpu.device.queue.writeBuffer(buffer, 0, words);
    return { buffer, offsets, sizes };
  }

  private prepare(
    dispatch: Dispatch,
    pipeline: Pipeline,
    images: PlanImages,
    uniforms: PlanUniforms | undefined,
    index: number,
  ): Step {
    const copies: ImageCopy[] = [];
    let imageIndex = 0;
    const entries: GPUBindGroupEntry[] = dispatch.bindings.map(
      ({ tensor, access, part }, binding) => {
        const memory = tensor.memory;
        if (!memory) throw new GpuError('plan', `${tensor.label} has no memory.`);
        if (access === 'image') {
          const shown = images.show(imageIndex++, memory, part ?? wholePart(tensor));
          copies.push(...shown.copies);
          const view = shown.texture.createView({ dimension: IMAGE_DIMENSION });
          return { binding, resource: view };
        }
        const { buffer, offset } = memory;
        return { binding, resource: { buffer, offset, size: Math.max(4, tensor.sizeBytes) } };
      },
    );
    if (dispatch.uniforms && uniforms)
      entries.push({
        binding: entries.length,
        resource: {
          buffer: uniforms.buffer,
          offset: uniforms.offsets[index],
          size: uniforms.sizes[index],
        },
      });
    for (const { tensor, access } of dispatch.bindings)
      if (isWritten(access) && tensor.memory) images.forget(tensor.memory.buffer);
    return {
      label: dispatch.label,
      pipeline: pipeline.compute,
      group: this.gpu.device.createBindGroup({
        label: dispatch.label,
        layout: pipeline.layout,
        entries,
      }),
      grid: dispatch.grid,
      copies,
    };
  }
}

function imagesOf({ bindings }: Dispatch): ImagePart[] {
  return bindings
    .filter(({ access }) => access === 'image')
    .map(({ tensor, part }) => part ?? wholePart(tensor));
}

interface Step {
  readonly label: string;
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly grid: readonly [number, number?, number?];
  /** Made before it. */
  readonly copies: readonly ImageCopy[];
}

/** Dispatches a command buffer: few enough to stay far below a browser's GPU watchdog. */
const DISPATCHES_PER_SUBMIT = 256;

export class Plan {
  constructor(
    private readonly gpu: Gpu,
    readonly label: string,
    private readonly steps: readonly Step[],
    private readonly uniforms: GPUBuffer | undefined,
  ) {}

  get dispatchCount(): number {
    return this.steps.length;
  }

  /** Submits the whole plan; does not wait for it. */
  submit(): void {
    const { device } = this.gpu;
    const commands: GPUCommandBuffer[] = [];
    for (let start = 0; start < this.steps.length; start += DISPATCHES_PER_SUBMIT) {
      const encoder = device.createCommandEncoder({ label: this.label });
      let pass: GPUComputePassEncoder | undefined;
      const end = Math.min(this.steps.length, start + DISPATCHES_PER_SUBMIT);
      for (let index = start; index < end; index++) {
        const { pipeline, group, grid, copies } = this.steps[index];
        if (copies.length > 0) {
          pass?.end();
          pass = undefined;
          for (const { source, target, size } of copies)
            encoder.copyBufferToTexture(source, target, size);
        }
        pass ??= encoder.beginComputePass({ label: this.label });
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, group);
        pass.dispatchWorkgroups(grid[0], grid[1], grid[2]);
      }
      pass?.end();
      commands.push(encoder.finish());
    }
    device.queue.submit(commands);
  }

  /** Submits, and waits until the GPU is done and has reported what was wrong. */
  async run(): Promise<void> {
    const accepted = this.gpu.submitChecked(this.label, () => this.submit());
    await Promise.all([accepted, this.gpu.idle()]);
  }

  dispose(): void {
    if (this.uniforms) this.gpu.destroyBuffer(this.uniforms);
  }
}
