/**
 * One GPU device: its features, its live buffers, its compiled pipelines, uploads, readbacks and
 * errors. Knows nothing of models. Every other room reaches the GPU through this class. Each owner of buffers has
 * one of its own over the same device.
 */
import { InkstoneError } from '../config/errors';
import { countingDevice, type CountedLimits } from './counting-device';
import { GpuError, type GpuErrorCode } from './errors';
import type { KernelSource, Pipeline } from './pipeline';
import { IMAGE_FORMAT, imageBytes, imageSize } from './image';
import { outOfMemory, Shortage } from './live-memory';
import { SharedDevice } from './shared-device';
import { isSoftwareAdapter, nameAdapter } from './software-adapter';
import { tensorBytes, tensorOver, type DType, type Tensor } from './tensor';

/** What the device says of itself when it is gone. */
const MAY_BE_A_LOSS: ReadonlySet<string> = new Set<GpuErrorCode>(['validation', 'shader']);
/** The loss of a device is told at most this much after what it broke has failed. */
const LOSS_NEWS_MS = 200;

/**
 * ONNX Runtime's attention is wrong where a subgroup has fewer lanes than this: a device that it is given does not
 * tell it of them.
 */
const SMALLEST_TRUSTED_SUBGROUP = 8;

/** Numeric values of GPUBufferUsage, which Node has no global for until Dawn is loaded. */
export const BUFFER_USAGE = {
  MAP_READ: 1,
  COPY_SRC: 4,
  COPY_DST: 8,
  UNIFORM: 64,
  STORAGE: 128,
} as const;

/** Values of GPUTextureUsage for an image: bound as storage, copied into. */
const IMAGE_USAGE = 0x02 | 0x08;

export interface GpuFeatures {
  readonly f16: boolean;
  readonly subgroups: boolean;
  readonly timestamps: boolean;
  /** Kernels may read images (WGSL's `readonly_and_readwrite_storage_textures`). */
  readonly images: boolean;
}

export interface BufferRequest {
  label: string;
  sizeBytes: number;
  /** Bits of GPUBufferUsage; storage with copies both ways when left out. */
  usage?: number;
}

export class Gpu {
  readonly features: GpuFeatures;
  /** Resolves, never rejects, when the device is gone for any reason but `dispose`. */
  readonly lost: Promise<GpuError>;
  /** What the device was asked for and has, hidden or not. */
  private readonly granted: ReadonlySet<string>;
  private readonly shortage = new Shortage();

  private constructor(
    readonly device: GPUDevice,
    /** Vendor, architecture and description as the adapter gives them, for logs and for the choice of kernels. */
    readonly adapterName: string,
    /** The processor computes what this device is asked to. */
    readonly isSoftware: boolean,
    hasImages: boolean,
    granted: Iterable<string> = device.features,
    private readonly shared = new SharedDevice(device),
  ) {
    this.granted = new Set(granted);
    this.lost = shared.lost;
    this.features = {
      f16: this.granted.has('shader-f16'),
      subgroups: this.granted.has('subgroups'),
      timestamps: this.granted.has('timestamp-query'),
      images: hasImages,
    };
  }

  /**
   * Asks for a device with all that the adapter offers.
   * @param entry `navigator.gpu`, or Dawn's on Node
   * @throws GpuError `no-webgpu`, `no-adapter`
   */
  static async request(entry: GPU | undefined): Promise<Gpu> {
    if (!entry)
      throw new GpuError(
        'no-webgpu',
        'This browser has no WebGPU. Training needs a recent Chrome, Edge, Safari or Firefox.',
      );
    const adapter = await entry.requestAdapter({ powerPreference: 'high-performance' });
    if (!adapter)
      throw new GpuError(
        'no-adapter',
        'WebGPU is here but no graphics adapter can be used. Turn on hardware acceleration in the browser settings.',
      );
    const wanted: GPUFeatureName[] = ['shader-f16', 'timestamp-query'];
    const isSoftware = isSoftwareAdapter(adapter.info);
    const areTrusted = (adapter.info.subgroupMinSize ?? 0) >= SMALLEST_TRUSTED_SUBGROUP;
    if (areTrusted || isSoftware) wanted.push('subgroups');
    const limits = adapter.limits;
    const requested = adapter.requestDevice({
      requiredFeatures: wanted.filter((feature) => adapter.features.has(feature)),
      requiredLimits: {
        maxBufferSize: limits.maxBufferSize,
        maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
        maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
        maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
        maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
        maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX,
        maxComputeWorkgroupSizeY: limits.maxComputeWorkgroupSizeY,
        maxComputeWorkgroupSizeZ: limits.maxComputeWorkgroupSizeZ,
      },
    });
    const device = await requested.catch((cause: unknown) => {
      throw new GpuError(
        'no-adapter',
        `The graphics adapter gives no device (${String(cause)}). Close what else uses it, or restart the browser.`,
        { retryable: true, cause },
      );
    });
    const name = nameAdapter(adapter.info) || 'unnamed adapter';
    const language = entry.wgslLanguageFeatures as ReadonlySet<string> | undefined;
    const hasImages = language?.has('readonly_and_readwrite_storage_textures') ?? false;
    const gpu = new Gpu(device, name, isSoftware, hasImages);
    if (!areTrusted && gpu.features.subgroups) hideFeature(device, 'subgroups');
    return gpu;
  }

  /**
   * One that only counts what it is asked to allocate: nothing is allocated, compiled or run.
   * @param like kernels are chosen, and limits held, as on this one; no limit holds without it
   */
  static counting(like?: Gpu, limits?: CountedLimits): Gpu {
    const name = like?.adapterName ?? 'counting';
    const imitated = like && {
      limits: like.device.limits,
      adapterInfo: like.device.adapterInfo,
      features: like.granted,
    };
    return new Gpu(
      countingDevice(imitated, limits),
      name,
      like?.isSoftware ?? false,
      like?.features.images ?? false,
    );
  }

  /**
   * The same device for an owner of its own: of a buffer that finds no memory, whoever made it is told and nobody else.
   * What lives, what is compiled and a loss are the device's, seen by all.
   */
  forOwner(): Gpu {
    const { device, adapterName, isSoftware, features, granted, shared } = this;
    return new Gpu(device, adapterName, isSoftware, features.images, granted, shared);
  }

  /** Buffers and images that live, whoever made them. */
  get liveCount(): number {
    return this.shared.memory.count;
  }

  get liveBytes(): number {
    return this.shared.memory.bytes;
  }

  /**
   * A buffer that finds no memory is reported by whatever its owner checks next.
   * @throws GpuError `limit` when one buffer would be larger than the adapter allows
   */
  createBuffer({ label, sizeBytes, usage }: BufferRequest): GPUBuffer {
    const size = Math.max(4, Math.ceil(sizeBytes / 4) * 4);
    const allowed = this.device.limits.maxBufferSize;
    if (size > allowed)
      throw new GpuError(
        'limit',
        `${label} needs a buffer of ${size} bytes, this GPU allows ${allowed}. Use a smaller model, batch or length.`,
        { details: { label, size, allowed } },
      );
    const usual = BUFFER_USAGE.STORAGE | BUFFER_USAGE.COPY_SRC | BUFFER_USAGE.COPY_DST;
    return this.made(label, size, () =>
      this.device.createBuffer({ label, size, usage: usage ?? usual }),
    );
  }

  destroyBuffer(buffer: GPUBuffer): void {
    this.shared.memory.giveBack(buffer);
  }

  /** A texture that shows tensors, see image.ts. One that finds no memory is reported like a buffer. */
  createImage(label: string, layers: number): GPUTexture {
    return this.made(label, imageBytes(layers), () =>
      this.device.createTexture({
        label,
        size: imageSize(layers),
        format: IMAGE_FORMAT,
        usage: IMAGE_USAGE,
      }),
    );
  }

  destroyImage(texture: GPUTexture): void {
    this.shared.memory.giveBack(texture);
  }

  /** A tensor with a buffer of its own, zero-filled unless `data` is given. */
  createTensor(
    label: string,
    shape: readonly number[],
    dtype: DType = 'f32',
    data?: ArrayBufferView,
  ): Tensor {
    const buffer = this.createBuffer({ label, sizeBytes: tensorBytes(shape, dtype) });
    const tensor = tensorOver(label, shape, dtype, buffer);
    if (data) this.upload(tensor, data);
    return tensor;
  }

  destroyTensor(tensor: Tensor): void {
    if (tensor.memory) this.destroyBuffer(tensor.memory.buffer);
  }

  /** Writes at most `tensor.sizeBytes`; a byte length that is no multiple of 4 is padded with zeros. */
  upload(tensor: Tensor, data: ArrayBufferView): void {
    const { buffer, offset } = this.memoryOf(tensor);
    if (data.byteLength > tensor.sizeBytes)
      throw new GpuError(
        'validation',
        `${tensor.label} holds ${tensor.sizeBytes} bytes, ${data.byteLength} were given.`,
      );
    const whole = data.byteLength & ~3;
    const bytes = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
    if (whole > 0) this.device.queue.writeBuffer(buffer, offset, bytes, 0, whole);
    if (whole < data.byteLength) {
      const tail = new Uint8Array(4);
      tail.set(bytes.subarray(whole));
      this.device.queue.writeBuffer(buffer, offset + whole, tail);
    }
  }

  /** Copies on the GPU, in order with the work submitted before and after. */
  copy(pairs: Iterable<{ from: Tensor; to: Tensor }>): void {
    const encoder = this.device.createCommandEncoder({ label: 'copy' });
    for (const { from, to } of pairs) {
      const source = this.memoryOf(from);
      const target = this.memoryOf(to);
      const { sizeBytes } = from;
      encoder.copyBufferToBuffer(
        source.buffer,
        source.offset,
        target.buffer,
        target.offset,
        sizeBytes,
      );
    }
    this.device.queue.submit([encoder.finish()]);
  }

  /**
   * A copy of the tensor's bytes once all submitted work is done.
   * @throws GpuError `out-of-memory` where the copy finds none, which nobody else is told; `device-lost`
   */
  async readBytes(tensor: Tensor): Promise<ArrayBuffer> {
    const { buffer, offset } = this.memoryOf(tensor);
    const own = this.forOwner();
    const staging = own.createBuffer({
      label: `${tensor.label} (readback)`,
      sizeBytes: tensor.sizeBytes,
      usage: BUFFER_USAGE.MAP_READ | BUFFER_USAGE.COPY_DST,
    });
    try {
      const encoder = this.device.createCommandEncoder();
      encoder.copyBufferToBuffer(buffer, offset, staging, 0, tensor.sizeBytes);
      this.device.queue.submit([encoder.finish()]);
      return await own.waiting(staging.mapAsync(1).then(() => staging.getMappedRange().slice(0)));
    } finally {
      this.destroyBuffer(staging);
    }
  }

  async readFloats(tensor: Tensor): Promise<Float32Array> {
    return new Float32Array(await this.readBytes(tensor));
  }

  /** The compiled pipeline for this source and these constants, compiled once. */
  compile(kernel: KernelSource): Promise<Pipeline> {
    return this.waiting(this.shared.compile(kernel));
  }

  /** All that has been compiled here or is being compiled, each once. */
  get kernels(): readonly KernelSource[] {
    return this.shared.kernels;
  }

  /**
   * Runs `work` at once and throws what the device found wrong in it. A scope that stayed open while work waits would
   * have the errors of others in it: none may be waited for.
   * @throws GpuError `validation`, `out-of-memory`, `device-lost`
   */
  async checked<T>(
    what: string,
    work: () => T extends PromiseLike<unknown> ? never : T,
  ): Promise<T> {
    let done: { result: T } | { failure: unknown } | undefined;
    await this.submitChecked(what, () => {
      try {
        done = { result: work() };
      } catch (failure) {
        done = { failure };
      }
    });
    if (done && 'result' in done) return done.result;
    throw await this.whyFailed(done?.failure);
  }

  /**
   * Runs `submit` at once; the promise tells later what the device found wrong in it, so that a
   * caller can go on submitting meanwhile.
   * @throws GpuError `validation`, `out-of-memory`, `device-lost`
   */
  submitChecked(what: string, submit: () => void): Promise<void> {
    const { device } = this;
    device.pushErrorScope('out-of-memory');
    device.pushErrorScope('validation');
    let found: Promise<(GPUError | null)[]>;
    try {
      submit();
    } finally {
      found = this.popScopes();
    }
    return found.then((errors) => this.throwFound(what, errors));
  }

  /** Resolves when all work submitted so far is done. */
  async idle(): Promise<void> {
    await this.waiting(this.device.queue.onSubmittedWorkDone());
  }

  /**
   * What waits for the device, with the reason where it fails: a lost device breaks whatever is under
   * way with errors of many kinds.
   * @throws GpuError `device-lost`, `out-of-memory`; what `work` throws
   */
  async waiting<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw await this.whyFailed(error);
    }
  }

  /** For all owners. */
  dispose(): void {
    this.shared.dispose();
  }

  private made<Made extends GPUBuffer | GPUTexture>(
    label: string,
    sizeBytes: number,
    create: () => Made,
  ): Made {
    return this.shared.memory.make({ label, sizeBytes, shortage: this.shortage }, create);
  }

  /** Both are asked for at once, so that scopes of other work stay in order. */
  private popScopes(): Promise<(GPUError | null)[]> {
    return Promise.all([this.device.popErrorScope(), this.device.popErrorScope()]).catch(() => []);
  }

  private throwFound(what: string, [validation, memory]: (GPUError | null)[]): void {
    const shortage = this.shortage.take();
    if (this.shared.loss) throw this.shared.loss;
    if (shortage) throw shortage;
    if (memory) throw outOfMemory(what);
    if (validation) throw new GpuError('validation', `${what}: ${validation.message}`);
  }

  private async whyFailed(error: unknown): Promise<unknown> {
    if (error instanceof InkstoneError && !MAY_BE_A_LOSS.has(error.code)) return error;
    const news = new Promise<undefined>((resolve) => setTimeout(resolve, LOSS_NEWS_MS));
    return (await Promise.race([this.lost, news])) ?? this.shortage.take() ?? error;
  }

  private memoryOf(tensor: Tensor) {
    if (!tensor.memory)
      throw new GpuError('plan', `${tensor.label} has no memory yet: build its plan first.`);
    return tensor.memory;
  }
}

/** What is built on the device from now on sees it without the feature. */
function hideFeature(device: GPUDevice, hidden: GPUFeatureName): void {
  const features = new Set([...device.features].filter((feature) => feature !== hidden));
  Object.defineProperty(device, 'features', { value: features });
}
