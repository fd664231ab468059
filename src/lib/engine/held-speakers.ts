/**
 * The voices that are held beside the base model's, each with memory of its own: who talks with one has it for as long
 * as its work takes. Of those that nobody talks with the last used stay, so that two can answer in turn.
 */
import { GpuError } from '../gpu';
import { InferenceError, type AdapterInputs, type TextSession } from '../inference';
import type { WaitsFor } from '../rpc/engine-api';
import { SharedWork } from './shared-work';

/** Beside those that somebody talks with, so many stay at most, all together ... */
const KEPT = 2;
/** ... and two adapters of no more bytes. A fully tuned model is one of the two whatever its size, and never both. */
const KEPT_BYTES = 256 * 1024 ** 2;

/** Who answers: a session, and the adapter that it is given. */
export interface Speaker {
  readonly session: TextSession;
  readonly adapter?: AdapterInputs;
}

export interface HeldSpeaker {
  readonly speaker: Speaker;
  /** Frees the memory; nothing that was asked of it may be under way. */
  readonly giveBack?: () => void | Promise<void>;
}

/** What is known of a voice before it takes memory. */
export interface Voice {
  readonly sizeBytes: number;
  /** A fully tuned model: as large as the base, so that one waits for another. */
  readonly isWhole: boolean;
  /** @throws GpuError `out-of-memory` */
  readonly hold: () => Promise<HeldSpeaker>;
}

export interface SpeakerUse {
  /** Ends the waiting for the voice. */
  readonly signal?: AbortSignal;
  /** What nobody talks with is not held meanwhile, nor afterwards. */
  readonly alone?: boolean;
  /** What those are told who wait until this is over; a whole one that says nothing is waited for without a word. */
  readonly as?: WaitsFor;
  /** Told whom it waits for, of several one after the other, and with undefined that it waits no more. */
  readonly onWaiting?: (waitsFor: WaitsFor | undefined) => void;
}

/** Of a person's own question, or of all the questions of an evaluation. */
export type TalkUse = Omit<SpeakerUse, 'as'> & { readonly kind: 'chat' | 'evaluation' };

/** What a run asks on the way. */
const SAMPLE: SpeakerUse = { as: { kind: 'sample' } };

export type SpeakerWork<T> = (speaker: Speaker) => Promise<T>;

interface Entry {
  readonly id: string;
  readonly held: SharedWork<HeldSpeaker, WaitsFor | undefined>;
  voice: Voice | undefined;
  /** It has its memory, or is about to. */
  holds: boolean;
  /** Whole ones wait for those of lower numbers. */
  turn: number;
  readonly users: Set<SpeakerUse>;
  /** Whom it waits for, where it does and they say who they are. */
  waitsFor: WaitsFor | undefined;
  /** Nobody finds it any more, and it goes when the last has done with it. */
  forgotten: boolean;
  gone: Promise<void> | undefined;
}

export class HeldSpeakers {
  /** The last used come last. */
  private readonly entries = new Set<Entry>();
  private readonly waiting = new Set<() => void>();
  private turns = 0;
  /** Who wants nothing to be held that nobody talks with. */
  private lonely = 0;
  private closed = false;

  /**
   * Runs `work` with a voice that is held until it ends, and kept after it as long as there is room.
   * @param find called where it is not held
   * @throws GpuError `out-of-memory`; AbortError; InferenceError `disposed` after `close`; what `find` and `work` throw
   */
  async use<T>(
    id: string,
    find: () => Promise<Voice>,
    { alone = false, ...use }: SpeakerUse,
    work: SpeakerWork<T>,
  ): Promise<T> {
    use.signal?.throwIfAborted();
    if (alone) return this.keepingNone(() => this.use(id, find, use, work), id);
    const known = [...this.entries].find(
      (entry) => entry.id === id && !entry.forgotten && !entry.held.abandoned,
    );
    return this.lend(known ?? this.begin(id, find), use, work);
  }

  /** The same with a voice that nobody else is to hear: it is given back at the end, and a whole one waits for none. */
  async useOnce<T>(find: () => Promise<Voice>, work: SpeakerWork<T>): Promise<T> {
    return this.lend(this.begin('', find, true), { ...SAMPLE }, work);
  }

  /** While `work` goes on, what nobody talks with is given back, and at its end. */
  async keepingNone<T>(work: () => Promise<T>, exceptId?: string): Promise<T> {
    this.lonely++;
    try {
      await this.giveBackIdle(exceptId);
      return await work();
    } finally {
      this.lonely--;
      await this.giveBackIdle();
    }
  }

  /** Nobody talks with it from now on; who does has it until the end. */
  async forget(id: string): Promise<void> {
    for (const entry of [...this.entries]) {
      if (entry.id !== id) continue;
      entry.forgotten = true;
      if (isIdle(entry)) await this.drop(entry);
    }
  }

  private async giveBackIdle(exceptId?: string): Promise<void> {
    await this.dropIdle(({ id }) => id !== exceptId);
  }

  /** @returns whether there were any */
  private async dropIdle(which: (entry: Entry) => unknown): Promise<boolean> {
    const idle = [...this.entries].filter((entry) => isIdle(entry) && which(entry));
    await Promise.all(idle.map((entry) => this.drop(entry)));
    return idle.length > 0;
  }

  /** Gives back all, once no session reads from them any more. */
  async close(): Promise<void> {
    this.closed = true;
    this.tellWaiting();
    await Promise.all([...this.entries].map((entry) => this.drop(entry)));
  }

  private async lend<T>(entry: Entry, use: SpeakerUse, work: SpeakerWork<T>): Promise<T> {
    const { signal = new AbortController().signal, onWaiting } = use;
    entry.users.add(use);
    try {
      // Who comes later was not there to hear it.
      if (entry.waitsFor) onWaiting?.(entry.waitsFor);
      const { speaker } = await entry.held.wait(signal, onWaiting);
      return await work(speaker);
    } finally {
      entry.users.delete(use);
      if (this.entries.delete(entry)) this.entries.add(entry);
      this.tellWaiting();
      if (entry.forgotten && isIdle(entry)) await this.drop(entry);
      if (this.lonely > 0) await this.giveBackIdle();
      else await this.trim();
    }
  }

  private begin(id: string, find: () => Promise<Voice>, once = false): Entry {
    const entry: Entry = {
      ...{
        id,
        voice: undefined,
        holds: false,
        turn: 0,
        users: new Set<SpeakerUse>(),
        waitsFor: undefined,
        forgotten: once,
        gone: undefined,
      },
      held: new SharedWork<HeldSpeaker, WaitsFor | undefined>(async (stop, tell) => {
        try {
          const voice = await find();
          stop.throwIfAborted();
          this.refuseClosed();
          entry.voice = voice;
          entry.turn = this.turns++;
          if (voice.isWhole) await this.waitForWholes(entry, once, stop, tell);
          entry.holds = true;
          await this.trim();
          return await this.hold(entry, voice, stop);
        } catch (error) {
          this.entries.delete(entry);
          this.tellWaiting();
          throw error;
        }
      }),
    };
    this.entries.add(entry);
    return entry;
  }

  /** Those that nobody talks with are given back for it, where it finds no memory beside them. */
  private async hold(entry: Entry, { hold }: Voice, stop: AbortSignal): Promise<HeldSpeaker> {
    this.refuseClosed();
    const held = await hold().catch(async (error: unknown) => {
      const isShort = error instanceof GpuError && error.code === 'out-of-memory';
      if (!isShort || !(await this.dropIdle((other) => other !== entry))) throw error;
      return hold();
    });
    if (stop.aborted) await held.giveBack?.();
    stop.throwIfAborted();
    return held;
  }

  private async waitForWholes(
    entry: Entry,
    once: boolean,
    stop: AbortSignal,
    tell: (waitsFor: WaitsFor | undefined) => void,
  ): Promise<void> {
    const sayWaitsFor = (other: Entry | undefined) => {
      const waitsFor = other && [...other.users].find(({ as }) => as)?.as;
      if (waitsFor === entry.waitsFor) return;
      entry.waitsFor = waitsFor;
      tell(waitsFor);
    };
    const isBefore = (other: Entry) => other.voice?.isWhole && other.turn < entry.turn;
    for (;;) {
      stop.throwIfAborted();
      this.refuseClosed();
      const before = [...this.entries].filter(isBefore);
      const idle = before.filter(isIdle);
      await Promise.all(idle.map((other) => this.drop(other)));
      // Others may have ended meanwhile.
      if (idle.length > 0) continue;
      if (once || before.length === 0) return sayWaitsFor(undefined);
      // Whoever waits too is not what it waits for.
      sayWaitsFor(before.find(({ holds }) => holds) ?? before[0]);
      await new Promise<void>((resolve) => {
        this.waiting.add(resolve);
        stop.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }

  /** Those used longest ago go, of those that nobody talks with, until the others may be held. */
  private async trim(): Promise<void> {
    for (const entry of [...this.entries].slice(0, -1)) {
      if (this.mayAllBeHeld) return;
      if (isIdle(entry)) await this.drop(entry);
    }
  }

  private get mayAllBeHeld(): boolean {
    const voices = [...this.entries].flatMap(({ holds, voice }) => (holds && voice ? voice : []));
    const small = voices.filter(({ isWhole }) => !isWhole);
    const bytes = small.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    return voices.length <= KEPT && (small.length < 2 || bytes <= KEPT_BYTES);
  }

  private drop(entry: Entry): Promise<void> {
    entry.forgotten = true;
    return (entry.gone ??= this.giveBack(entry));
  }

  private async giveBack(entry: Entry): Promise<void> {
    try {
      await (await entry.held.settled())?.giveBack?.();
    } catch {
      // It is gone for everybody all the same, and whose answer has just ended is not to be told of it.
    } finally {
      this.entries.delete(entry);
      this.tellWaiting();
    }
  }

  private tellWaiting(): void {
    for (const look of this.waiting) look();
    this.waiting.clear();
  }

  private refuseClosed(): void {
    if (this.closed) throw new InferenceError('disposed', 'The model was closed; open it again.');
  }
}

/** What was abandoned while it is made gives itself back as soon as it is. */
const isIdle = ({ users, held }: Entry): boolean => users.size === 0 && !held.abandoned;
