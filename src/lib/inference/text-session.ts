/**
 * Talking to a text model: one copy of the weights, read by every session, and one session for each
 * set of modules that adapters target. On WebGPU the weights are the trainer's own buffers; on the CPU
 * the one session takes an adapter for every module, which is zero where none is in use.
 */
import {
  LINEAR_MODULES,
  ropeTables,
  type JsonObject,
  type LinearModule,
  type ModelConfig,
} from '../config';
import { serializeOnnx } from '../formats';
import type { Gpu, Tensor } from '../gpu';
import {
  externalData,
  LORA_SCALE,
  loraInputs,
  planDecoder,
  type DecoderOptions,
  type WeightSource,
} from '../onnx-export';
import type { ChatMessage, Tokenizer } from '../text';
import { badAdapter, checkAdapter, type AdapterInputs, type HostTensor } from './adapter-inputs';
import { InferenceError } from './errors';
import { generate, now, type CausalModel } from './generate';
import { ortTensor } from './graph-inputs';
import { GraphSession } from './graph-session';
import { encodePrompt } from './prompt';
import { exclusively, loadRuntime, type Backend, type OrtTensor, type Runtime } from './runtime';
import type { SamplingOptions } from './sampler';

/** Rows of the rotary tables at most: 16 MB at a head size of 128. */
const MAX_POSITIONS = 32768;
const DATA_FILE = 'model.onnx_data';

export interface TextSessionSource {
  readonly config: ModelConfig;
  /** config.json as it was read. */
  readonly rawConfig: JsonObject;
  /** generation_config.json, where there is one. */
  readonly generationConfig?: JsonObject;
  readonly tokenizer: Tokenizer;
  /** With WebGPU: checkpoint name to our f32 tensor (out, in), which must outlive the session. */
  readonly gpu?: { readonly device: Gpu; readonly weights: ReadonlyMap<string, Tensor> };
  /** Without WebGPU: a tensor by its checkpoint name, asked for once, while creating. */
  readonly host?: { readonly weights: WeightSource };
  readonly signal?: AbortSignal;
  readonly onProgress?: (stage: 'read' | 'compile', doneBytes: number, totalBytes: number) => void;
}

/** Names and meaning of `GenerationOptions` in rpc/engine-api.ts. */
export interface TextGeneration extends SamplingOptions {
  readonly max_new_tokens: number;
}

export interface GenerateRequest {
  /** A conversation that ends with a question ... */
  readonly messages?: readonly ChatMessage[];
  /** ... or the prompt's ids as they are, such as a dataset row's. */
  readonly promptIds?: readonly number[];
  readonly generation: TextGeneration;
  readonly adapter?: AdapterInputs;
  readonly signal?: AbortSignal;
  /** Text since the last call; never half a character. */
  readonly onText?: (text: string) => void;
}

export interface GenerateResult {
  readonly text: string;
  /** Ids of the answer, an end token included. */
  readonly ids: readonly number[];
  readonly promptTokens: number;
  readonly newTokens: number;
  readonly firstTokenMs: number;
  readonly tokensPerSecond: number;
  readonly stoppedBy: 'end' | 'length' | 'signal';
}

interface Prepared {
  readonly session: GraphSession;
  readonly model: CausalModel;
  readonly targets: readonly LinearModule[];
}

export class TextSession {
  readonly maxPositions: number;
  private readonly prepared = new Map<string, Promise<Prepared>>();
  private readonly ownTensors: Tensor[] = [];
  /** Weights and rotary tables on the GPU; empty on the CPU, where the graph holds them. */
  private readonly shared: Record<string, OrtTensor> = {};
  private hostBiases: ReadonlyMap<string, HostTensor> = new Map();
  private queue: Promise<unknown> = Promise.resolve();
  private disposed = false;

  private constructor(
    private readonly runtime: Runtime,
    private readonly source: TextSessionSource,
    readonly backend: Backend,
  ) {
    this.maxPositions = Math.min(source.config.maxPositionEmbeddings, MAX_POSITIONS);
  }

  /** @throws InferenceError `runtime`, `session`, `bad-weights`; ExportError `unsupported-model` */
  static async create(source: TextSessionSource): Promise<TextSession> {
    if (!source.gpu === !source.host)
      throw new InferenceError(
        'bad-weights',
        'Give weights on the GPU or on the host, one of them.',
      );
    const backend = source.gpu ? 'webgpu' : 'wasm';
    const runtime = await loadRuntime(backend);
    source.signal?.throwIfAborted();
    const session = new TextSession(runtime, source, backend);
    try {
      if (source.gpu) session.shareWeights(source.gpu);
      await session.prepare([]);
      return session;
    } catch (error) {
      await session.dispose();
      throw error;
    }
  }

  /**
   * One answer. Calls wait for each other. An aborted signal ends it after the current token and is a
   * result, not an error.
   * @throws InferenceError `bad-prompt`, `prompt-too-long`, `bad-adapter`, `bad-option`, `session`
   */
  generate(request: GenerateRequest): Promise<GenerateResult> {
    return this.inTurn(async () => {
      const { generation, adapter, signal, onText } = request;
      checkGeneration(generation);
      const { tokenizer, config } = this.source;
      const promptIds = request.promptIds ?? encodePrompt(tokenizer, request.messages ?? []);
      checkIds(promptIds, config.vocabSize);
      const room = this.maxPositions - promptIds.length;
      if (room < 1)
        throw new InferenceError(
          'prompt-too-long',
          `The prompt has ${promptIds.length} tokens; this model takes ${this.maxPositions - 1} and an answer. Shorten the conversation.`,
          { details: { found: promptIds.length, allowed: this.maxPositions - 1 } },
        );
      const counts = { promptTokens: promptIds.length, newTokens: 0 };
      if (signal?.aborted)
        return {
          ...counts,
          text: '',
          ids: [],
          firstTokenMs: 0,
          tokensPerSecond: 0,
          stoppedBy: 'signal',
        };
      const { session, model } = await this.withAdapter(adapter);
      const result = await generate(this.runtime.transformers, model, session, tokenizer, {
        promptIds,
        maxNewTokens: Math.min(generation.max_new_tokens, room),
        sampling: generation,
        endIds: this.endIds,
        signal,
        onText,
      });
      return { ...counts, ...result, newTokens: result.ids.length };
    });
  }

  /** Logits (ids.length, V) of one forward pass. */
  logits(ids: readonly number[], adapter?: AdapterInputs): Promise<Float32Array> {
    return this.inTurn(async () => {
      checkIds(ids, this.source.config.vocabSize);
      const { session, model } = await this.withAdapter(adapter);
      const { Tensor } = this.runtime.transformers;
      const shape = [1, ids.length];
      try {
        const outputs = await model.forward({
          input_ids: new Tensor('int64', BigInt64Array.from(ids, BigInt), shape),
          attention_mask: new Tensor('int64', new BigInt64Array(ids.length).fill(1n), shape),
        });
        return Float32Array.from(outputs.logits.data as Float32Array);
      } catch (error) {
        return session.rethrow(error);
      } finally {
        session.releaseHeld();
      }
    });
  }

  /** Waits for a running call, then gives back all that ONNX Runtime holds. The weights stay. */
  async dispose(): Promise<void> {
    if (this.disposed) return;
    this.disposed = true;
    await this.queue;
    for (const pending of this.prepared.values())
      await pending.then(
        ({ session }) => session.release(),
        () => undefined,
      );
    this.prepared.clear();
    for (const tensor of this.ownTensors) this.source.gpu?.device.destroyTensor(tensor);
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.queue.then(() => {
      if (this.disposed)
        throw new InferenceError('disposed', 'The model was closed; open it again.');
      return work();
    });
    this.queue = result.catch(() => undefined);
    return result;
  }

  private get endIds(): ReadonlySet<number> {
    const { config, generationConfig, tokenizer } = this.source;
    const listed = generationConfig?.eos_token_id;
    const ids = [listed, config.eosTokenIds, tokenizer.eosId].flat();
    return new Set(ids.filter((id): id is number => typeof id === 'number'));
  }

  private shareWeights({ device, weights }: NonNullable<TextSessionSource['gpu']>): void {
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

  /** The session for these modules, with the adapter's factors in place for the next run. */
  private async withAdapter(adapter: AdapterInputs | undefined): Promise<Prepared> {
    const { config } = this.source;
    if (adapter) checkAdapter(config, adapter);
    const prepared = await this.prepare(adapter?.targets ?? []);
    const { ort } = this.runtime;
    const extra: Record<string, OrtTensor> = { ...this.shared };
    for (const [name, bias] of this.hostBiases) extra[name] = ortTensor(ort, name, bias);
    for (const [name, tensor] of [...(adapter?.tensors ?? []), ...(adapter?.biases ?? [])]) {
      if ('data' in tensor !== (this.backend === 'wasm'))
        throw badAdapter(
          `${name} lies in ${'data' in tensor ? 'main' : 'GPU'} memory; the ${this.backend} backend reads the other.`,
        );
      if (adapter?.biases?.has(name) && !prepared.session.extraNames.includes(name))
        throw badAdapter(`The adapter brings ${name}, which this model has not.`);
      extra[name] = ortTensor(ort, name, tensor);
    }
    if (prepared.targets.length > 0)
      extra[LORA_SCALE] = new ort.Tensor('float32', new Float32Array([adapter?.scale ?? 0]), [1]);
    if (this.backend === 'wasm') this.addZeroFactors(prepared.targets, extra);
    const missing = prepared.session.extraNames.find((name) => !(name in extra));
    if (missing !== undefined)
      throw new InferenceError(
        'bad-weights',
        `The model has no tensor ${missing}, which its config.json asks for.`,
        { details: { name: missing } },
      );
    const names = prepared.session.extraNames;
    prepared.session.extra = Object.fromEntries(names.map((name) => [name, extra[name]]));
    return prepared;
  }

  private addZeroFactors(targets: readonly LinearModule[], extra: Record<string, OrtTensor>): void {
    for (const { name, factor, features } of loraInputs(this.source.config, targets)) {
      const shape = factor === 'A' ? [1, features] : [features, 1];
      extra[name] ??= ortTensor(this.runtime.ort, name, {
        shape,
        data: new Float32Array(features),
      });
    }
  }

  private prepare(targets: readonly LinearModule[]): Promise<Prepared> {
    const inOrder =
      this.backend === 'wasm' ? LINEAR_MODULES : LINEAR_MODULES.filter((m) => targets.includes(m));
    const key = inOrder.join();
    let pending = this.prepared.get(key);
    if (!pending) {
      pending = this.build(inOrder);
      this.prepared.set(key, pending);
      pending.catch(() => this.prepared.delete(key));
    }
    return pending;
  }

  private async build(targets: readonly LinearModule[]): Promise<Prepared> {
    const { config, rawConfig, gpu, signal } = this.source;
    const options: DecoderOptions = {
      weights: gpu ? 'inputs' : 'external',
      logits: 'keep',
      maxPositions: this.maxPositions,
      dataFile: DATA_FILE,
      ...(targets.length > 0 ? { adapter: { targets, biasInputs: !gpu } } : {}),
    };
    const plan = planDecoder(config, options);
    const data = gpu ? undefined : await this.readHostWeights(plan);
    signal?.throwIfAborted();
    const { ort, transformers } = this.runtime;
    const present = plan.model.graph.outputs.map(({ name }) => name).filter((n) => n !== 'logits');
    const began = now();
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
    this.source.onProgress?.('compile', Math.round(now() - began), 0);
    const graphSession = new GraphSession(session);
    const endIds = [...this.endIds];
    const model = new transformers.LlamaForCausalLM(
      new transformers.PretrainedConfig({ ...rawConfig, 'transformers.js_config': {} }),
      { model: graphSession },
      { generation_config: { eos_token_id: endIds.length > 0 ? endIds : null } },
    );
    return { session: graphSession, model, targets };
  }

  /** The external data file in one piece, and the biases that the graph takes as inputs. */
  private async readHostWeights(plan: ReturnType<typeof planDecoder>) {
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
      onProgress?.('read', written, totalBytes);
    }
    const biases = new Map<string, HostTensor>();
    for (const { name, shape } of graph.inputs)
      if (name.endsWith('.bias'))
        biases.set(name, { shape: shape as number[], data: await host!.weights(name) });
    this.hostBiases = biases;
    return file;
  }
}

function checkGeneration(options: TextGeneration): void {
  const rules: readonly [keyof TextGeneration, string, (value: number) => boolean][] = [
    ['max_new_tokens', 'a whole number from 1 on', (v) => Number.isSafeInteger(v) && v >= 1],
    ['temperature', 'a number from 0 on', (v) => v >= 0 && Number.isFinite(v)],
    ['top_p', 'a number above 0, at most 1', (v) => v > 0 && v <= 1],
    ['top_k', 'a whole number from 0 on', (v) => Number.isSafeInteger(v) && v >= 0],
    ['repetition_penalty', 'a number above 0', (v) => v > 0 && Number.isFinite(v)],
    ['seed', 'a whole number', (v) => Number.isSafeInteger(v)],
  ];
  for (const [name, allowed, isGood] of rules)
    if (!isGood(options[name]))
      throw new InferenceError(
        'bad-option',
        `${name} is ${options[name]}; ${allowed} is allowed.`,
        {
          details: { name, found: String(options[name]) },
        },
      );
}

function checkIds(ids: readonly number[], vocabSize: number): void {
  const bad = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabSize);
  if (ids.length === 0 || bad !== undefined)
    throw new InferenceError(
      'bad-prompt',
      bad === undefined
        ? 'The prompt has no tokens; at least one is needed.'
        : `The prompt has token id ${bad}; the model knows 0 to ${vocabSize - 1}. The tokenizer belongs to another model.`,
    );
}
