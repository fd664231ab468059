/** One answer through transformers.js `generate()`: our sampler, our stop, our text pieces. */
import { createStreamDecoder, type Tokenizer } from '../text';
import { createSampler, type SamplingOptions } from './sampler';
import type { GraphSession } from './graph-session';
import type { Transformers } from './runtime';

/** The causal model of transformers.js around one of our sessions. */
export type CausalModel = InstanceType<Transformers['LlamaForCausalLM']>;

export interface GenerateTask {
  readonly promptIds: readonly number[];
  readonly maxNewTokens: number;
  readonly sampling: SamplingOptions;
  readonly endIds: ReadonlySet<number>;
  readonly signal: AbortSignal | undefined;
  readonly onText: ((text: string) => void) | undefined;
}

export interface Generated {
  readonly text: string;
  readonly ids: readonly number[];
  readonly firstTokenMs: number;
  readonly tokensPerSecond: number;
  readonly stoppedBy: 'end' | 'length' | 'signal';
}

/** @throws InferenceError `session` */
export async function generate(
  transformers: Transformers,
  model: CausalModel,
  session: GraphSession,
  tokenizer: Tokenizer,
  task: GenerateTask,
): Promise<Generated> {
  const { promptIds, sampling, endIds, signal, onText } = task;
  const sample = createSampler(sampling);
  const decoder = createStreamDecoder(tokenizer);
  const ids: number[] = [];
  const begin = performance.now();
  let firstAt = begin;
  let lastAt = begin;
  let text = '';

  class SeededChoice extends transformers.LogitsProcessor {
    override _call(rows: bigint[][], logits: InstanceType<Transformers['Tensor']>) {
      const values = logits.data as Float32Array;
      const chosen = sample(rows[0], values);
      values.fill(Number.NEGATIVE_INFINITY)[chosen] = 0;
      return logits;
    }
  }
  class Stop extends transformers.StoppingCriteria {
    override _call(rows: number[][]): boolean[] {
      return rows.map(() => signal?.aborted ?? false);
    }
  }
  class Pieces extends transformers.BaseStreamer {
    private isPrompt = true;
    override put(rows: bigint[][]): void {
      if (this.isPrompt) {
        this.isPrompt = false;
        return;
      }
      lastAt = performance.now();
      if (ids.length === 0) firstAt = lastAt;
      const id = Number(rows[0][0]);
      ids.push(id);
      if (!endIds.has(id)) give(decoder.push(id));
    }
    override end(): void {
      give(decoder.flush());
    }
  }
  function give(piece: string): void {
    if (piece === '') return;
    text += piece;
    onText?.(piece);
  }

  const processors = new transformers.LogitsProcessorList();
  processors.push(new SeededChoice());
  const criteria = new transformers.StoppingCriteriaList();
  criteria.push(new Stop());
  const inputIds = new transformers.Tensor('int64', BigInt64Array.from(promptIds, BigInt), [
    1,
    promptIds.length,
  ]);
  try {
    await model.generate({
      inputs: inputIds,
      do_sample: false,
      repetition_penalty: 1,
      max_new_tokens: task.maxNewTokens,
      logits_processor: processors,
      stopping_criteria: criteria,
      // Its types ask for a TextStreamer; put and end are all that it calls.
      streamer: new Pieces() as unknown as InstanceType<Transformers['TextStreamer']>,
    });
  } catch (error) {
    session.rethrow(error);
  } finally {
    session.releaseHeld();
  }
  const last = ids.at(-1);
  const ended = last !== undefined && endIds.has(last);
  const seconds = (lastAt - firstAt) / 1000;
  return {
    text,
    ids,
    firstTokenMs: firstAt - begin,
    tokensPerSecond: ids.length > 1 && seconds > 0 ? (ids.length - 1) / seconds : 0,
    stoppedBy: ended ? 'end' : signal?.aborted ? 'signal' : 'length',
  };
}
