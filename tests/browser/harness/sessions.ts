/** A session over a test model on either backend, with all GPU memory that anyone takes counted. */
import { Gpu, type Tensor } from '../../../src/lib/gpu';
import { TextSession, type AdapterInputs, type Backend } from '../../../src/lib/inference';
import type { Floats, TestAdapter, TestModel } from './models';

export interface OpenSession {
  readonly session: TextSession;
  readonly adapter: (adapter: TestAdapter) => AdapterInputs;
  /** Buffers alive on the device, ours and ONNX Runtime's, and what the device complained of. */
  readonly gpu: { readonly live: () => number; readonly errors: readonly string[] } | undefined;
  /** Disposes the session; the weights stay on the device. */
  readonly dispose: () => Promise<void>;
}

export async function openSession(model: TestModel, backend: Backend): Promise<OpenSession> {
  const { config, rawConfig, generationConfig, tokenizer, weights } = model;
  const common = { config, rawConfig, generationConfig, tokenizer };
  if (backend === 'wasm') {
    const source = async (name: string) => weights.get(name)!.data;
    const session = await TextSession.create({ ...common, host: { weights: source } });
    return {
      session,
      adapter: (adapter) => inputsOf(adapter, ({ shape, data }) => ({ shape, data })),
      gpu: undefined,
      dispose: () => session.dispose(),
    };
  }
  const onGpu = await openGpu(model);
  const session = await onGpu.createSession();
  return {
    session,
    adapter: onGpu.place,
    gpu: onGpu,
    dispose: () => session.dispose(),
  };
}

/** The model's weights on a device whose buffers are counted, for any number of sessions. */
export async function openGpu({ weights, ...model }: TestModel) {
  const gpu = await Gpu.request(navigator.gpu);
  const counted = count(gpu.device);
  const upload = (name: string, { shape, data }: Floats) =>
    gpu.createTensor(name, shape, 'f32', data);
  const tensors = new Map<string, Tensor>();
  for (const [name, value] of weights) tensors.set(name, upload(name, value));
  await gpu.idle();
  return {
    ...counted,
    createSession: () => TextSession.create({ ...model, gpu: { device: gpu, weights: tensors } }),
    place: (adapter: TestAdapter) => inputsOf(adapter, (value) => upload('adapter', value)),
  };
}

function inputsOf<
  T extends (AdapterInputs['tensors'] extends ReadonlyMap<string, infer V> ? V : never),
>({ targets, scale, factors, biases }: TestAdapter, place: (value: Floats) => T): AdapterInputs {
  const placed = (values: ReadonlyMap<string, Floats>) =>
    new Map(Array.from(values, ([name, value]) => [name, place(value)] as const));
  return { targets, scale, tensors: placed(factors), biases: placed(biases) };
}

function count(device: GPUDevice) {
  const live = new Set<GPUBuffer>();
  const errors: string[] = [];
  const create = device.createBuffer.bind(device);
  device.createBuffer = (descriptor) => {
    const buffer = create(descriptor);
    live.add(buffer);
    const destroy = buffer.destroy.bind(buffer);
    buffer.destroy = () => {
      live.delete(buffer);
      return destroy();
    };
    return buffer;
  };
  device.addEventListener('uncapturederror', ({ error }) => errors.push(error.message));
  return { live: () => live.size, errors };
}
