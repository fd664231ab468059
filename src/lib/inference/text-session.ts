/**
 * Talking to a text model: prompts in, text in whole characters out, base and adapters over the same
 * weights. Calls wait for each other.
 */
import type { JsonObject } from '../config';
import type { ChatMessage, Tokenizer } from '../text';
import type { AdapterInputs } from './adapter-inputs';
import { checkGeneration, checkIds, type TextGeneration } from './check-request';
import { InferenceError } from './errors';
import { generate } from './generate';
import { ModelSessions, type ModelSource } from './model-sessions';
import { encodePrompt } from './prompt';
import { loadRuntime, type Backend, type Runtime } from './runtime';

export interface TextSessionSource extends ModelSource {
  /** generation_config.json, where there is one. */
  readonly generationConfig?: JsonObject;
  readonly tokenizer: Tokenizer;
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

export class TextSession {
  private queue: Promise<unknown> = Promise.resolve();
  private disposed = false;

  private constructor(
    private readonly runtime: Runtime,
    private readonly sessions: ModelSessions,
    private readonly source: TextSessionSource,
    private readonly endIds: ReadonlySet<number>,
  ) {}

  /**
   * @throws InferenceError `runtime`, `session`, `bad-weights`; ExportError `unsupported-model`; GpuError `out-of-memory`
   *   for the tables of its own
   */
  static async create(source: TextSessionSource): Promise<TextSession> {
    if (!source.gpu === !source.host)
      throw new InferenceError(
        'bad-weights',
        'Give weights on the GPU or on the host, one of them.',
      );
    const backend = source.gpu ? 'webgpu' : 'wasm';
    const runtime = await loadRuntime(backend);
    source.signal?.throwIfAborted();
    const endIds = endTokens(source);
    const sessions = new ModelSessions(runtime, source, [...endIds]);
    try {
      await source.gpu?.device.checked('rotary tables', () => undefined);
      await sessions.withAdapter(undefined);
      return new TextSession(runtime, sessions, source, endIds);
    } catch (error) {
      await sessions.dispose();
      throw error;
    }
  }

  get backend(): Backend {
    return this.sessions.backend;
  }

  /** Tokens of prompt and answer together. */
  get maxLength(): number {
    return this.sessions.maxPositions;
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
      const allowed = this.maxLength - (adapter?.prefix?.length ?? 0) - 1;
      const room = allowed + 1 - promptIds.length;
      if (room < 1)
        throw new InferenceError(
          'prompt-too-long',
          `The prompt has ${promptIds.length} tokens; this model takes ${allowed} and an answer. Shorten the conversation.`,
          { details: { found: promptIds.length, allowed } },
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
      const { session, model } = await this.sessions.withAdapter(adapter);
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
      const { session, model } = await this.sessions.withAdapter(adapter);
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
    await this.sessions.dispose();
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
}

/** generation_config.json, config.json and the tokenizer may each name some: all of them end an answer. */
function endTokens({ config, generationConfig, tokenizer }: TextSessionSource): Set<number> {
  const ids = [generationConfig?.eos_token_id, config.eosTokenIds, tokenizer.eosId].flat();
  return new Set(ids.filter((id): id is number => typeof id === 'number'));
}
