/** A conversation held twice: once with the base model, once with an adapter, over the same questions. */
import type { ChatMessage, GenerationOptions } from '../rpc/engine-api';
import { streamAnswer } from './answer';
import { adapters } from './adapters.svelte';
import {
  DEFAULT_GENERATION,
  KEPT_TURNS,
  shapeChat,
  type Answer,
  type Column,
  type SavedChat,
  type Turn,
} from './local-shapes';
import { readLocal, readSaved, writeLocal } from './local-store';
import { lang } from './lang.svelte';
import { models } from './models.svelte';

export type { Answer, Column, Turn };

const EMPTY: SavedChat = { turns: [], system: '', generation: DEFAULT_GENERATION };

class Chat {
  #saved = readLocal('chat', shapeChat, EMPTY);
  turns = $state<Turn[]>(this.#saved.turns);
  modelId = $state<string | undefined>(this.#saved.modelId);
  adapterId = $state<string | undefined>(this.#saved.adapterId);
  system = $state(this.#saved.system);
  generation = $state<GenerationOptions>({ ...this.#saved.generation });
  busy = $state(false);
  /** The column whose answer has just been completed, for the live region. */
  completed = $state.raw<{ turn: number; column: Column }>();
  #abort: AbortController | undefined;

  /** The chosen model, else what pages start with. */
  readonly model = $derived(models.byId(this.modelId) ?? models.preferred);
  readonly columns: readonly Column[] = $derived(this.adapterId ? ['base', 'tuned'] : ['base']);

  /** Answers one column after the other: both share one GPU. */
  async send(question: string): Promise<void> {
    if (this.busy || question.trim() === '') return;
    const abort = (this.#abort = new AbortController());
    this.busy = true;
    this.followRun();
    const columns = this.columns;
    this.turns.push({
      id: (this.turns.at(-1)?.id ?? 0) + 1,
      question,
      answers: Object.fromEntries(
        columns.map((column) => [column, { text: '', state: 'waiting' } satisfies Answer]),
      ),
    });
    const turn = this.turns.at(-1)!;
    try {
      for (const column of columns) {
        const adapterId = column === 'tuned' ? this.adapterId : undefined;
        await this.#answer(turn, column, adapterId, abort.signal);
      }
    } finally {
      this.busy = false;
      this.save();
    }
  }

  /** A checkpoint that is no longer kept gives way to the newest of its run, if there is one. */
  followRun(): void {
    if (adapters.loaded) this.adapterId = adapters.find(this.adapterId)?.id;
  }

  stop(): void {
    this.#abort?.abort();
  }

  clear(): void {
    this.stop();
    this.turns = [];
    this.save();
  }

  save(): void {
    const turns = $state.snapshot(this.turns).slice(-KEPT_TURNS) as Turn[];
    for (const turn of turns)
      for (const answer of Object.values(turn.answers)) if (answer) delete answer.error;
    writeLocal('chat', {
      turns,
      modelId: this.modelId,
      adapterId: this.adapterId,
      system: this.system,
      generation: $state.snapshot(this.generation),
    } satisfies SavedChat);
  }

  /** Puts a conversation that came with an import before this one; turns that are here already stay once. */
  adopt(saved: SavedChat): void {
    const keyOf = ({ question, answers }: Turn) =>
      JSON.stringify([question, answers.base?.text, answers.tuned?.text]);
    const known = new Set(this.turns.map(keyOf));
    const others = saved.turns.filter((turn) => !known.has(keyOf(turn)));
    if (readSaved('chat', shapeChat) === undefined) {
      this.system ||= saved.system;
      this.modelId ??= saved.modelId;
      this.adapterId ??= saved.adapterId;
      this.generation = { ...saved.generation };
    }
    this.turns = [...others, ...this.turns]
      .slice(-KEPT_TURNS)
      .map((turn, index) => ({ ...turn, id: index + 1 }));
    this.save();
  }

  toJson(): string {
    const { system, generation, modelId, adapterId } = this;
    return JSON.stringify({ modelId, adapterId, system, generation, turns: this.turns }, null, 2);
  }

  async #answer(
    turn: Turn,
    column: Column,
    adapterId: string | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const answer = turn.answers[column]!;
    answer.adapterId = adapterId;
    if (signal.aborted) {
      answer.state = 'stopped';
      return;
    }
    answer.state = 'running';
    try {
      // A question may come before the list of models is read.
      await models.ensure();
      const modelId = this.model?.id;
      if (!modelId) throw models.error ?? new Error(lang.t.chat.noModels);
      await models.open(modelId);
      const { text, stopped, result } = await streamAnswer(
        {
          modelId,
          adapterId,
          messages: this.#messages(turn, column),
          generation: $state.snapshot(this.generation),
        },
        (whole) => (answer.text = whole),
        signal,
        (waitsFor) => {
          answer.waitsFor = waitsFor;
          // What was read out before is not read again when the wait is over.
          if (waitsFor) this.completed = undefined;
        },
      );
      answer.text = text;
      answer.result = result;
      answer.state = stopped ? 'stopped' : 'done';
      this.completed = { turn: turn.id, column };
    } catch (error) {
      answer.error = error;
      answer.state = 'failed';
    } finally {
      answer.waitsFor = undefined;
    }
  }

  /** The conversation as this column has lived it, without turns that it did not answer. */
  #messages(until: Turn, column: Column): ChatMessage[] {
    const messages: ChatMessage[] = [];
    if (this.system.trim()) messages.push({ role: 'system', content: this.system.trim() });
    for (const turn of this.turns) {
      if (turn.id === until.id) break;
      const content = turn.answers[column]?.text;
      if (!content) continue;
      messages.push({ role: 'user', content: turn.question }, { role: 'assistant', content });
    }
    messages.push({ role: 'user', content: until.question });
    return messages;
  }
}

export const chat = new Chat();
