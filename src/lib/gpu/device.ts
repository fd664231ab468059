/**
 * One GPU device: its features, its live buffers, its compiled pipelines, uploads, readbacks and
 * errors. Knows nothing of models. Every other room reaches the GPU through this class.
 */
import { GpuError } from './errors';
import { compilePipeline, pipelineKey, type KernelSource, type Pipeline } from './pipeline';
import { isSoftwareAdapter, nameAdapter } from './software-adapter';
import { tensorBytes, tensorOver, type DType, type Tensor } from './tensor';

/** ONNX Runtime's attention is wrong where a subgroup has fewer lanes than this. */
const SMALLEST_TRUSTED_SUBGROUP = 8;

/** Numeric values of GPUBufferUsage, which Node has no global for until Dawn is loaded. */
export const BUFFER_USAGE = {
  MAP_READ: 1,
  COPY_SRC: 4,
  COPY_DST: 8,
  UNIFORM: 64,
  STORAGE: 128,
} as const;

export interface GpuFeatures {
  readonly f16: boolean;
  readonly subgroups: boolean;
  readonly timestamps: boolean;
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
  private readonly liveBuffers = new Map<GPUBuffer, number>();
  private readonly pipelines = new Map<string, Promise<Pipeline>>();
  private disposed = false;

  private constructor(
    readonly device: GPUDevice,
    /** Vendor, architecture and description as the adapter gives them, for logs and for the choice of kernels. */
    readonly adapterName: string,
    /** The processor computes what this device is asked to. */
    readonly isSoftware: boolean,
  ) {
    this.features = {
      f16: device.features.has('shader-f16'),
      subgroups: device.features.has('subgroups'),
      timestamps: device.features.has('timestamp-query'),
    };
    this.lost = new Promise((resolve) => {
      void device.lost.then((info) => {
        if (!this.disposed)
          resolve(
            new GpuError(
              'device-lost',
              `The GPU device was lost (${info.message || info.reason}). Work since the last checkpoint must be run again.`,
              { retryable: true },
            ),
          );
      });
    });
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
    if ((adapter.info.subgroupMinSize ?? 0) >= SMALLEST_TRUSTED_SUBGROUP) wanted.push('subgroups');
    const limits = adapter.limits;
    const device = await adapter.requestDevice({
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
    const name = nameAdapter(adapter.info) || 'unnamed adapter';
    return new Gpu(device, name, isSoftwareAdapter(adapter.info));
  }

  get liveBufferCount(): number {
    return this.liveBuffers.size;
  }

  get liveBytes(): number {
    let sum = 0;
    for (const size of this.liveBuffers.values()) sum += size;
    return sum;
  }

  /** @throws GpuError `limit` when one buffer would be larger than the adapter allows */
  createBuffer({ label, sizeBytes, usage }: BufferRequest): GPUBuffer {
    const size = Math.max(4, Math.ceil(sizeBytes / 4) * 4);
    const allowed = this.device.limits.maxBufferSize;
    if (size > allowed)
      throw new GpuError(
        'limit',
        `${label} needs a buffer of ${size} bytes, this GPU allows ${allowed}. Use a smaller model, batch or length.`,
        { details: { label, size, allowed } },
      );
    const buffer = this.device.createBuffer({
      label,
      size,
      usage: usage ?? BUFFER_USAGE.STORAGE | BUFFER_USAGE.COPY_SRC | BUFFER_USAGE.COPY_DST,
    });
    this.liveBuffers.set(buffer, size);
    return buffer;
  }

  destroyBuffer(buffer: GPUBuffer): void {
    if (this.liveBuffers.delete(buffer)) buffer.destroy();
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

  /** A copy of the tensor's bytes once all submitted work is done. */
  async readBytes(tensor: Tensor): Promise<ArrayBuffer> {
    const { buffer, offset } = this.memoryOf(tensor);
    const staging = this.createBuffer({
      label: `${tensor.label} (readback)`,
      sizeBytes: tensor.sizeBytes,
      usage: BUFFER_USAGE.MAP_READ | BUFFER_USAGE.COPY_DST,
    });
    try {
      const encoder = this.device.createCommandEncoder();
      encoder.copyBufferToBuffer(buffer, offset, staging, 0, tensor.sizeBytes);
      this.device.queue.submit([encoder.finish()]);
      await staging.mapAsync(1);
      return staging.getMappedRange().slice(0);
    } finally {
      this.destroyBuffer(staging);
    }
  }

  async readFloats(tensor: Tensor): Promise<Float32Array> {
    return new Float32Array(await this.readBytes(tensor));
  }

  /** The compiled pipeline for this source and these constants, compiled once. */
  compile(kernel: KernelSource): Promise<Pipeline> {
    const key = pipelineKey(kernel);
    let pipeline = this.pipelines.get(key);
    if (!pipeline) {
      pipeline = compilePipeline(this.device, kernel);
      this.pipelines.set(key, pipeline);
      void pipeline.catch(() => this.pipelines.delete(key));
    }
    return pipeline;
  }

  /**
   * Runs `work` and throws what the device found wrong in it.
   * @throws GpuError `validation`, `out-of-memory`, `device-lost`
   */
  async checked<T>(what: string, work: () => T | Promise<T>): Promise<T> {
    const device = this.device;
    device.pushErrorScope('out-of-memory');
    device.pushErrorScope('validation');
    let result: T;
    let failure: unknown;
    let failed = false;
    try {
      result = await work();
    } catch (error) {
      failed = true;
      failure = error;
    }
    const [validation, memory] = await Promise.all([
      device.popErrorScope(),
      device.popErrorScope(),
    ]);
    if (memory)
      throw new GpuError(
        'out-of-memory',
        `${what}: the GPU has no memory left. Use a smaller batch, a shorter length or a smaller model.`,
      );
    if (validation) throw new GpuError('validation', `${what}: ${validation.message}`);
    if (failed) throw failure;
    return result!;
  }

  /**
   * Runs `submit` at once; the promise tells later what the device found wrong in it, so that a
   * caller can go on submitting meanwhile.
   * @throws GpuError `validation`, `out-of-memory`
   */
  submitChecked(what: string, submit: () => void): Promise<void> {
    const { device } = this;
    device.pushErrorScope('out-of-memory');
    device.pushErrorScope('validation');
    submit();
    const errors = Promise.all([device.popErrorScope(), device.popErrorScope()]);
    return errors.then((found) => throwFound(what, found));
  }

  /** Resolves when all work submitted so far is done. */
  async idle(): Promise<void> {
    await this.device.queue.onSubmittedWorkDone();
  }

  dispose(): void {
    this.disposed = true;
    for (const buffer of this.liveBuffers.keys()) buffer.destroy();
    this.liveBuffers.clear();
    this.device.destroy();
  }

  private memoryOf(tensor: Tensor) {
    if (!tensor.memory)
      throw new GpuError('plan', `${tensor.label} has no memory yet: build its plan first.`);
    return tensor.memory;
  }
}

function throwFound(what: string, [validation, memory]: (GPUError | null)[]): void {
  if (memory)
    throw new GpuError(
      'out-of-memory',
      `${what}: the GPU has no memory left. Use a smaller batch, a shorter length or a smaller model.`,
    );
  if (validation) throw new GpuError('validation', `${what}: ${validation.message}`);
}
