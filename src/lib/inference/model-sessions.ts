/**
 * The sessions of one model: one copy of the weights for all, one session for each set of layers that
 * adapters target. On WebGPU the weights are the trainer's own buffers; on the CPU the one session
 * takes an adapter for every layer, of zeros where none is in use.
 */
import { linearSite, ropeTables, type JsonObject, type ModelConfig } from '../config';
import { serializeOnnx } from '../formats';
import type { Gpu, Tensor } from '../gpu';
import {
  externalData,
  factorInputs,
  LORA_SCALE,
  loraInputs,
  planDecoder,
  type DecoderPlan,
  type LayerPaths,
  type WeightSource,
} from '../onnx-export';
import {
  badAdapter,
  checkAdapter,
  pathsOf,
  type AdapterInputs,
  type HostTensor,
  type InputTensor,
} from './adapter-inputs';
import { InferenceError } from './errors';
import type { CausalModel } from './generate';
import { ortTensor } from './graph-inputs';
import { graphShapeOf, shapeKey, type GraphShape } from './graph-shape';
import { GraphSession } from './graph-session';
import { exclusively, type Backend, type OrtTensor, type Runtime } from './runtime';

/** Rows of the rotary tables at most: 16 MB at a head size of 128. */
const MAX_POSITIONS = 32768;
const DATA_FILE = 'model.onnx_data';

export interface ModelSource {
  readonly config: ModelConfig;
  /** config.json as it was read. */
  readonly rawConfig: JsonObject;
  /** With WebGPU: checkpoint name to our f32 tensor (out, in), or to NF4 codes with their magnitudes, which must outlive the session. */
  readonly gpu?: { readonly device: Gpu; readonly weights: ReadonlyMap<string, Tensor> };
  /** Without WebGPU: a tensor by its checkpoint name, asked for once, while creating. */
  readonly host?: { readonly weights: WeightSource };
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: SessionProgress) => void;
}

/** A part of rpc's LoadProgress. */
export interface SessionProgress {
  readonly stage: 'read' | 'compile';
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export interface ReadySession {
  readonly session: GraphSession;
  readonly model: CausalModel;
  readonly shape: GraphShape;
}

export class ModelSessions {
  readonly maxPositions: number;
  readonly backend: Backend;
  private readonly ready = new Map<string, Promise<ReadySession>>();
  private readonly ownTensors: Tensor[] = [];
  /** Weights and rotary tables on the GPU; empty on the CPU, where the graph holds them. */
  private readonly shared: Record<string, OrtTensor> = {};
  private hostBiases: ReadonlyMap<string, HostTensor> = new Map();

  /** @throws InferenceError `bad-weights` */
  constructor(
    private readonly runtime: Runtime,
    private readonly source: ModelSource,
    private readonly endIds: readonly number[],
  ) {
    this.backend = source.gpu ? 'webgpu' : 'wasm';
    this.maxPositions = Math.min(source.config.maxPositionEmbeddings, MAX_POSITIONS);
    if (source.gpu) this.shareWeights(source.gpu);
  }

  /** The session for this adapter's shape, with the adapter in place for the next run. */
  async withAdapter(adapter: AdapterInputs | undefined): Promise<ReadySession> {
    const { config } = this.source;
    if (adapter) checkAdapter(config, adapter);
    const prepared = await this.prepare(graphShapeOf(config, adapter, this.backend));
    const { ort } = this.runtime;
    const extra: Record<string, OrtTensor> = { ...this.shared };
    for (const [name, bias] of this.hostBiases) extra[name] = ortTensor(ort, name, bias);
    for (const [name, tensor] of namedInputs(config, adapter)) {
      if ('data' in tensor !== (this.backend === 'wasm'))
        throw badAdapter(
          `${name} lies in ${'data' in tensor ? 'main' : 'GPU'} memory; the ${this.backend} backend reads the other.`,
        );
      if (adapter?.biases?.has(name) && !prepared.session.extraNames.includes(name))
        throw badAdapter(`The adapter brings ${name}, which this model has not.`);
      extra[name] = ortTensor(ort, name, tensor);
    }
    const { targets } = prepared.shape;
    if (targets.size > 0)
      extra[LORA_SCALE] = new ort.Tensor('float32', new Float32Array([adapter?.scale ?? 0]), [1]);
    if (this.backend === 'wasm') this.addZeroFactors(targets, extra);
    const missing = prepared.session.extraNames.find((name) => !(name in extra));
    if (missing !== undefined)
      throw new InferenceError(
        'bad-weights',
        `The model has no tensor ${missing}, which its config.json asks for.`,
        { details: { name: missing } },
      );
    const names = prepared.session.extraNames;
    prepared.session.extra = Object.fromEntries(names.map((name) => [name, extra[name]]));
    prepared.session.prefix = adapter?.prefix && {
      length: adapter.prefix.length,
      tensors: new Map(
        [...adapter.prefix.tensors].map(([name, tensor]) => [name, ortTensor(ort, name, tensor)]),
      ),
    };
    return prepared;
  }

  /** Gives back all that ONNX Runtime holds, and the tables; the weights stay. */
  async dispose(): Promise<void> {
    for (const pending of this.ready.values())
      await pending.then(
        ({ session }) => session.release(),
        () => undefined,
      );
    this.ready.clear();
    for (const tensor of this.ownTensors.splice(0)) this.source.gpu?.device.destroyTensor(tensor);
  }

  /** The linear layers are QLoRA's, in NF4. */
  private get fourBit(): boolean {
    const { gpu, config } = this.source;
    const { path } = linearSite(config, 0, 'q_proj');
    return gpu?.weights.get(`${path}.weight`)?.dtype === 'u32';
  }

  private shareWeights({ device, weights }: NonNullable<ModelSource['gpu']>): void {
    const { config } = this.source;
    for (const [name, tensor] of weights)
      this.shared[name] = ortTensor(this.runtime.ort, name, tensor);
    const tables = ropeTables(config, this.maxPositions);
    for (const part of ['cos', 'sin'] as const) {
      const name = `${part}_cache`;
      const shape = [this.maxPositions, config.headDim / 2];
      const tensor = device.createTensor(`inference/${name}`, shape, 'f32', tables[part]);
      this.ownTensors.push(tensor);
      this.shared[name] = ortTensor(this.runtime.ort, name, tensor);
    }
  }

  private addZeroFactors(targets: LayerPaths, extra: Record<string, OrtTensor>): void {
    for (const { name, factor, features } of loraInputs(this.source.config, targets)) {
      const shape = factor === 'A' ? [1, features] : [features, 1];
      extra[name] ??= ortTensor(this.runtime.ort, name, {
        shape,
        data: new Float32Array(features),
      });
    }
  }

  private prepare(shape: GraphShape): Promise<ReadySession> {
    const key = shapeKey(shape);
    let pending = this.ready.get(key);
    if (!pending) {
      pending = this.build(shape);
      this.ready.set(key, pending);
      pending.catch(() => this.ready.delete(key));
    }
    return pending;
  }

  private async build(shape: GraphShape): Promise<ReadySession> {
    const { config, rawConfig, gpu, signal } = this.source;
    const plan = planDecoder(config, {
      weights: gpu ? 'inputs' : 'external',
      logits: 'keep',
      maxPositions: this.maxPositions,
      dataFile: DATA_FILE,
      fourBit: this.fourBit,
      adapter: { ...shape, biasInputs: !gpu },
    });
    const data = gpu ? undefined : await this.readHostWeights(plan);
    signal?.throwIfAborted();
    const { ort, transformers } = this.runtime;
    const present = plan.model.graph.outputs.map(({ name }) => name).filter((n) => n !== 'logits');
    this.source.onProgress?.({ stage: 'compile', doneBytes: 0, totalBytes: 1 });
    const session = await exclusively(() =>
      ort.InferenceSession.create(serializeOnnx(plan.model), {
        executionProviders: gpu ? [{ name: 'webgpu', device: gpu.device.device }] : ['wasm'],
        logSeverityLevel: 3,
        ...(data ? { externalData: [{ path: DATA_FILE, data }] } : {}),
        ...(gpu
          ? { preferredOutputLocation: Object.fromEntries(present.map((n) => [n, 'gpu-buffer'])) }
          : {}),
      }),
    ).catch((cause: unknown) => {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new InferenceError(
        'session',
        `The inference runtime did not take the model: ${reason.slice(0, 300)}`,
        { cause },
      );
    });
    this.source.onProgress?.({ stage: 'compile', doneBytes: 1, totalBytes: 1 });
    const graphSession = new GraphSession(session);
    const model = new transformers.LlamaForCausalLM(
      new transformers.PretrainedConfig({ ...rawConfig, 'transformers.js_config': {} }),
      { model: graphSession },
      { generation_config: { eos_token_id: this.endIds.length > 0 ? [...this.endIds] : null } },
    );
    return { session: graphSession, model, shape };
  }

  /** The external data file in one piece, and the biases that the graph takes as inputs. */
  private async readHostWeights(plan: DecoderPlan) {
    const { config, host, signal, onProgress } = this.source;
    const { graph } = plan.model;
    const totalBytes = Math.max(
      ...graph.initializers.map(({ external }) =>
        external ? external.offset + external.length : 0,
      ),
    );
    const file = new Uint8Array(totalBytes);
    let written = 0;
    for await (const chunk of externalData(config, plan, host!.weights, signal)) {
      file.set(chunk, written);
      written += chunk.byteLength;
      onProgress?.({ stage: 'read', doneBytes: written, totalBytes });
    }
    const biases = new Map<string, HostTensor>();
    for (const { name, shape } of graph.inputs)
      if (name.endsWith('.bias'))
        biases.set(name, { shape: shape as number[], data: await host!.weights(name) });
    this.hostBiases = biases;
    return file;
  }
}

/** Everything of an adapter that stands in the graph under a name. */
function* namedInputs(
  config: ModelConfig,
  adapter: AdapterInputs | undefined,
): Generator<[string, InputTensor]> {
  if (!adapter) return;
  yield* adapter.tensors;
  yield* adapter.biases ?? [];
  yield* adapter.weights ?? [];
  for (const side of ['rows', 'columns'] as const) {
    const factors = adapter[side];
    for (const { name, path } of factorInputs(config, pathsOf(factors), side))
      yield [name, factors!.byPath.get(path)!];
  }
}
