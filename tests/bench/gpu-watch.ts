/**
 * Watches WebGPU's own classes, so that ours and the peers are counted by the same calls: buffers that live, dispatches,
 * command buffers, and by the device's clock the time from the first compute pass to the last of each command buffer:
 * what is copied between two passes is the GPU's work too. Knows no contender.
 */
import { textureBytes } from '../gpu/texture-bytes';

/** What one piece of work asked of the GPU. */
export interface GpuWork {
  readonly wallMs: number;
  /** In command buffers, by timestamps of their passes; undefined where the device has none or a pass brings its own. */
  readonly passMs: number | undefined;
  readonly dispatches: number;
  readonly commandBuffers: number;
}

type Span = readonly [begin: bigint, end: bigint];

interface TimedPass {
  readonly encoder: object;
  readonly span: Span;
}

/** WebGPU allows 4096 queries a set. */
const QUERIES = 4096;
const TIMESTAMP_BYTES = 8;
/** GPUBufferUsage: MAP_READ | COPY_DST, QUERY_RESOLVE | COPY_SRC. */
const READ_USAGE = 0x1 | 0x8;
const RESOLVE_USAGE = 0x200 | 0x4;

interface Queries {
  readonly device: GPUDevice;
  readonly set: GPUQuerySet;
  /** Of each pass: two queries. */
  readonly encoders: GPUCommandEncoder[];
}

export class GpuWatch {
  /** Bytes of buffers and textures that were created and not destroyed. */
  liveBytes = 0;
  private peak = 0;
  private dispatches = 0;
  private commandBuffers = 0;
  private queries: Queries[] | undefined;
  private untimed = 0;

  private constructor() {}

  /** Begins to watch all devices of this process; to be called before any is asked for. */
  static open(): GpuWatch {
    const watch = new GpuWatch();
    watch.watchMemory();
    watch.watchWork();
    return watch;
  }

  /** @returns what `work` gave, and the most bytes that lived meanwhile beyond those before it */
  async highWater<Result>(
    work: () => Promise<Result>,
  ): Promise<{ result: Result; peakBytes: number }> {
    const before = this.liveBytes;
    this.peak = before;
    const result = await work();
    return { result, peakBytes: this.peak - before };
  }

  /** @param work ends when the GPU is done with it */
  async count(work: () => Promise<unknown>): Promise<GpuWork> {
    this.dispatches = 0;
    this.commandBuffers = 0;
    this.untimed = 0;
    const queries: Queries[] = [];
    this.queries = queries;
    const start = performance.now();
    try {
      await work();
    } finally {
      this.queries = undefined;
    }
    const wallMs = performance.now() - start;
    const { dispatches, commandBuffers, untimed } = this;
    const passes: TimedPass[] = [];
    for (const each of queries) passes.push(...(await readPasses(each)));
    const passMs = untimed > 0 || passes.length === 0 ? undefined : coveredMs(encoderSpans(passes));
    return { wallMs, passMs, dispatches, commandBuffers };
  }

  private watchMemory(): void {
    const sizes = new WeakMap<GPUBuffer | GPUTexture, number>();
    const take = <Made extends GPUBuffer | GPUTexture>(made: Made, bytes: number): Made => {
      sizes.set(made, bytes);
      this.liveBytes += bytes;
      this.peak = Math.max(this.peak, this.liveBytes);
      return made;
    };
    const give = (made: GPUBuffer | GPUTexture) => {
      this.liveBytes -= sizes.get(made) ?? 0;
      sizes.delete(made);
    };
    around(GPUDevice.prototype, 'createBuffer', (create, [descriptor]) =>
      take(create(descriptor), descriptor.size),
    );
    around(GPUDevice.prototype, 'createTexture', (create, [descriptor]) =>
      take(create(descriptor), textureBytes(descriptor)),
    );
    around(GPUBuffer.prototype, 'destroy', (destroy, _, buffer) => {
      give(buffer);
      return destroy();
    });
    around(GPUTexture.prototype, 'destroy', (destroy, _, texture) => {
      give(texture);
      return destroy();
    });
  }

  private watchWork(): void {
    const devices = new WeakMap<GPUCommandEncoder, GPUDevice>();
    around(GPUDevice.prototype, 'createCommandEncoder', (create, [descriptor], device) => {
      const encoder = create(descriptor);
      devices.set(encoder, device);
      return encoder;
    });
    around(GPUCommandEncoder.prototype, 'beginComputePass', (begin, [descriptor], encoder) => {
      if (!this.queries) return begin(descriptor);
      const writes = descriptor?.timestampWrites
        ? undefined
        : this.reserve(encoder, devices.get(encoder));
      if (!writes) this.untimed++;
      return begin(writes ? { ...descriptor, timestampWrites: writes } : descriptor);
    });
    around(GPUComputePassEncoder.prototype, 'dispatchWorkgroups', (dispatch, sizes) => {
      this.dispatches++;
      return dispatch(...sizes);
    });
    around(
      GPUComputePassEncoder.prototype,
      'dispatchWorkgroupsIndirect',
      (dispatch, [buffer, offset]) => {
        this.dispatches++;
        return dispatch(buffer, offset);
      },
    );
    around(GPUQueue.prototype, 'submit', (submit, [buffers]) => {
      const commands = [...buffers];
      this.commandBuffers += commands.length;
      return submit(commands);
    });
  }

  private reserve(
    encoder: GPUCommandEncoder,
    device: GPUDevice | undefined,
  ): GPUComputePassTimestampWrites | undefined {
    if (!device?.features.has('timestamp-query')) return undefined;
    const { queries = [] } = this;
    let found = queries.find(
      (each) => each.device === device && 2 * each.encoders.length < QUERIES,
    );
    if (!found) {
      const set = device.createQuerySet({ type: 'timestamp', count: QUERIES });
      found = { device, set, encoders: [] };
      queries.push(found);
    }
    const index = 2 * found.encoders.length;
    found.encoders.push(encoder);
    return {
      querySet: found.set,
      beginningOfPassWriteIndex: index,
      endOfPassWriteIndex: index + 1,
    };
  }
}

/** From the first pass to the last of each command buffer. */
export function encoderSpans(passes: readonly TimedPass[]): Span[] {
  const spans = new Map<object, Span>();
  for (const { encoder, span } of passes) {
    const [begin, end] = spans.get(encoder) ?? span;
    spans.set(encoder, [span[0] < begin ? span[0] : begin, span[1] > end ? span[1] : end]);
  }
  return [...spans.values()];
}

/** Milliseconds that lie in at least one span of nanoseconds. */
export function coveredMs(spans: readonly Span[]): number {
  const ordered = [...spans].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  let covered = 0n;
  let done: bigint | undefined;
  for (const [begin, end] of ordered) {
    const from = done !== undefined && done > begin ? done : begin;
    if (end <= from) continue;
    covered += end - from;
    done = end;
  }
  return Number(covered) / 1e6;
}

async function readPasses({ device, set, encoders }: Queries): Promise<TimedPass[]> {
  const count = 2 * encoders.length;
  const size = count * TIMESTAMP_BYTES;
  const resolved = device.createBuffer({ size, usage: RESOLVE_USAGE });
  const staging = device.createBuffer({ size, usage: READ_USAGE });
  const encoder = device.createCommandEncoder();
  encoder.resolveQuerySet(set, 0, count, resolved, 0);
  encoder.copyBufferToBuffer(resolved, 0, staging, 0, size);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(1);
  const times = new BigUint64Array(staging.getMappedRange().slice(0));
  staging.destroy();
  resolved.destroy();
  set.destroy();
  return encoders.map((encoder, index) => ({
    encoder,
    span: [times[2 * index], times[2 * index + 1]],
  }));
}

/** Replaces a method by one that is given the method it replaces, bound to its object. */
function around<
  Class extends object,
  Name extends keyof Class,
  Args extends (Class[Name] extends (...args: infer Found) => unknown ? Found : never),
  Result extends (Class[Name] extends (...args: never[]) => infer Found ? Found : never),
>(
  prototype: Class,
  name: Name,
  change: (method: (...args: Args) => Result, args: Args, self: Class) => Result,
): void {
  const method = prototype[name] as (...args: Args) => Result;
  const changed = function (this: Class, ...args: Args): Result {
    return change((...given) => method.apply(this, given), args, this);
  };
  Object.assign(prototype, { [name]: changed });
}
