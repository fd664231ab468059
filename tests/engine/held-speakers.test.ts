/**
 * Which voices are held, and for how long. One long file, because all of it is one queue seen from each of its users. Plan:
 * - of ten adapters in turn two stay; two that answer in turn are made once each; a second large one does not stay
 * - one that somebody talks with stays, however many come meanwhile; several who want the same share it
 * - there is one fully tuned model at a time, beside a small adapter: who wants another waits, is told for whom, one
 *   after the other, and that it is over, also who comes later; who need not wait is told nothing; it may leave
 * - an evaluation holds one at a time, and leaves none, nor does a chat beside it; leaving it keeps nobody waiting
 * - one that is forgotten goes when the last has done with it, also while it is made, and is made anew after that
 * - a sample of a run is nobody else's, goes at its end and waits for none
 * - what fails leaves nothing, and what cannot be given back is told to nobody; no memory is looked for a second time where something can be given back
 * - what closes gives back all and refuses what comes
 */
import { beforeEach, describe, expect, it } from 'vitest';
import { HeldSpeakers, type SpeakerUse, type Voice } from '$lib/engine/held-speakers';
import { GpuError } from '$lib/gpu';
import type { TextSession } from '$lib/inference';
import type { WaitsFor } from '$lib/rpc/engine-api';

const MB = 2 ** 20;
const session = {} as TextSession;
const noMemory = () => new GpuError('out-of-memory', 'none is left');

/** What others do meanwhile is done. */
const turn = () => new Promise<void>((resolve) => setTimeout(resolve, 1));

function gate() {
  let open = () => {};
  const wait = new Promise<void>((resolve) => (open = resolve));
  return { wait, open };
}

describe('held speakers', () => {
  let held: HeldSpeakers;
  /** Ids in the order in which they took their memory, and those that hold it now. */
  let made: string[];
  let living: string[];
  /** Most that lived at once. */
  let peak: number;

  beforeEach(() => {
    held = new HeldSpeakers();
    [made, living, peak] = [[], [], 0];
  });

  const voice =
    (id: string, { isWhole = false, sizeBytes = MB } = {}) =>
    async (): Promise<Voice> => ({
      ...{ isWhole, sizeBytes },
      hold: async () => {
        made.push(id);
        living.push(id);
        peak = Math.max(peak, living.length);
        await turn();
        return { speaker: { session }, giveBack: () => void living.splice(living.indexOf(id), 1) };
      },
    });

  type Kind = { isWhole?: boolean; sizeBytes?: number };
  const use = (id: string, kind?: Kind, how: SpeakerUse = {}, work = turn) =>
    held.use(id, voice(id, kind), how, work);

  /** Talks until it is told to end. */
  function talk(id: string, kind?: Kind, how?: SpeakerUse) {
    const { wait, open } = gate();
    const done = use(id, kind, how, () => wait);
    done.catch(() => undefined);
    return async () => {
      open();
      await done;
    };
  }

  const ten = Array.from({ length: 10 }, (_, i) => `adapter ${i}`);

  it('of ten in turn the last two stay', async () => {
    for (const id of ten) {
      await use(id, {}, {}, async () => expect(living).toContain(id));
      expect(living.length).toBeLessThanOrEqual(2);
    }
    expect(living).toEqual(ten.slice(-2));
    expect(peak).toBe(2);
    await held.keepingNone(async () => expect(living).toEqual([]));
  });

  it('two that answer in turn are made once each', async () => {
    for (let round = 0; round < 3; round++) for (const id of ['a', 'b']) await use(id);
    expect(made).toEqual(['a', 'b']);
    await use('c');
    await use('b');
    expect(made).toEqual(['a', 'b', 'c']);
  });

  it('of two that are large together the last alone stays', async () => {
    await use('a', { sizeBytes: 200 * MB });
    await use('b', { sizeBytes: 200 * MB });
    expect(living).toEqual(['b']);
    expect(peak).toBe(1);
    await use('c', { sizeBytes: MB });
    expect(living).toEqual(['b', 'c']);
  });

  it('one that somebody talks with stays, however many come', async () => {
    const endA = talk('a');
    await turn();
    for (const id of ten) {
      await use(id);
      expect(living).toEqual(['a', id]);
    }
    const others = ten.slice(0, 3).map((id) => talk(id));
    await turn();
    expect(living).toEqual(['a', ...ten.slice(0, 3)]);
    for (const end of others) await end();
    await endA();
    expect(living).toHaveLength(2);
    expect(living).toContain('a');
  });

  it('those who want the same one share it', async () => {
    const ends = ['a', 'a', 'a'].map((id) => talk(id));
    await turn();
    expect(made).toEqual(['a']);
    for (const end of ends) await end();
    expect(living).toEqual(['a']);
  });

  it('who leaves while it is made leaves it to the others, and the last takes it along', async () => {
    const [first, second] = [new AbortController(), new AbortController()];
    const leaving = use('a', {}, { signal: first.signal });
    const staying = use('a', {}, { signal: second.signal });
    first.abort();
    await expect(leaving).rejects.toMatchObject({ name: 'AbortError' });
    await staying;
    expect(living).toEqual(['a']);
    const last = use('b', {}, { signal: second.signal });
    await Promise.resolve();
    second.abort();
    await expect(last).rejects.toMatchObject({ name: 'AbortError' });
    await turn();
    await turn();
    expect(living).toEqual(['a']);
    const late = use('c', {}, { signal: second.signal });
    await expect(late).rejects.toMatchObject({ name: 'AbortError' });
    expect(made).not.toContain('c');
  });

  describe('of fully tuned models', () => {
    const whole = { isWhole: true, sizeBytes: 1000 * MB };

    it('there is one, beside a small adapter', async () => {
      await use('whole a', whole);
      for (let round = 0; round < 3; round++) {
        await use('small', {});
        await use('whole a', whole);
      }
      expect(made).toEqual(['whole a', 'small']);
      await use('whole b', whole);
      expect(living).toEqual(['small', 'whole b']);
      expect(peak).toBe(2);
    });

    it('another is made when the answer of the first has ended', async () => {
      const endA = talk('whole a', whole);
      await turn();
      const endB = talk('whole b', whole);
      const endC = talk('whole c', whole);
      await turn();
      await use('small');
      expect(living).toEqual(['whole a', 'small']);
      await endA();
      await turn();
      expect(living).toEqual(['small', 'whole b']);
      await endB();
      await endC();
      expect(living).toEqual(['small', 'whole c']);
      expect(peak).toBe(2);
    });

    it('who waits is told for whom, as often as that changes, and when it is over', async () => {
      const told: [string, WaitsFor | undefined][] = [];
      const as = (kind: 'chat' | 'evaluation', id: string): WaitsFor => ({
        ...{ kind, adapterId: id, adapterName: id.toUpperCase() },
      });
      const hears = (name: string, kind: 'chat' | 'evaluation', id: string): SpeakerUse => ({
        as: as(kind, id),
        onWaiting: (waitsFor) => void told.push([name, waitsFor]),
      });
      const endA = talk('a', whole, { ...hears('A', 'evaluation', 'a'), alone: true });
      await turn();
      const endB = talk('b', whole, hears('B', 'chat', 'b'));
      await turn();
      const endC = talk('c', whole, hears('C', 'evaluation', 'c'));
      await turn();
      // Not for B, who waits too.
      const forA = as('evaluation', 'a');
      expect(told.splice(0)).toEqual([
        ['B', forA],
        ['C', forA],
      ]);
      // Who wants the same as B waits as B does; an adapter waits for nobody.
      const endAgain = talk('b', whole, hears('again', 'chat', 'b'));
      await use('small', {}, hears('small', 'chat', 'small'));
      expect(told.splice(0)).toEqual([['again', forA]]);
      await endA();
      await turn();
      expect(told.splice(0)).toEqual([
        ['B', undefined],
        ['again', undefined],
        ['C', as('chat', 'b')],
      ]);
      await endB();
      await turn();
      expect(told.splice(0).map(([name]) => name)).toEqual(['C']);
      await endAgain();
      await endC();
      expect(told).toEqual([['C', undefined]]);
    });

    it('for a sample of a run it is told that too, and nothing where nobody says who talks', async () => {
      const told: unknown[] = [];
      const { wait, open } = gate();
      const sample = held.useOnce(voice('sample', whole), () => wait);
      await turn();
      const hears = { onWaiting: (waitsFor?: WaitsFor) => void told.push(waitsFor) };
      const endA = talk('a', whole, hears);
      await turn();
      expect(told.splice(0)).toEqual([{ kind: 'sample' }]);
      open();
      await sample;
      await turn();
      expect(told.splice(0)).toEqual([undefined]);
      const endB = talk('b', whole, hears);
      await turn();
      await endA();
      await endB();
      expect(told).toEqual([]);
    });

    it('who waits for one may leave, and another takes the turn', async () => {
      const endA = talk('whole a', whole);
      await turn();
      const leave = new AbortController();
      const leaving = use('whole b', whole, { signal: leave.signal });
      const endC = talk('whole c', whole);
      await turn();
      leave.abort();
      await expect(leaving).rejects.toMatchObject({ name: 'AbortError' });
      await endA();
      await endC();
      expect(made).toEqual(['whole a', 'whole c']);
      expect(living).toEqual(['whole c']);
    });

    it('a sample of a run waits for no answer, and takes the place of one that nobody talks with', async () => {
      await use('whole a', whole);
      await held.useOnce(voice('sample', whole), async () => expect(living).toEqual(['sample']));
      const endA = talk('whole a', whole);
      await turn();
      await held.useOnce(voice('sample', whole), async () =>
        expect(living).toEqual(['whole a', 'sample']),
      );
      expect(living).toEqual(['whole a']);
      await endA();
    });
  });

  it('an evaluation holds one at a time, and leaves none', async () => {
    await use('of a chat');
    await use('of another');
    const alone = { alone: true };
    for (const id of ten) await use(id, {}, alone, async () => expect(living).toEqual([id]));
    expect(living).toEqual([]);
    const endChat = talk('of a chat');
    await turn();
    await use(ten[0], {}, alone, async () => expect(living).toEqual(['of a chat', ten[0]]));
    expect(living).toEqual(['of a chat']);
    await use('of a chat', {}, alone);
    expect(living).toEqual(['of a chat']);
    await endChat();
  });

  it('beside an evaluation what ends talking goes, and stays where there is none', async () => {
    const alone = { alone: true };
    await use('evaluated', {}, alone, async () => {
      await use('of a chat');
      expect(living).toEqual(['evaluated']);
    });
    await held.keepingNone(async () => {
      await use('of a chat');
      expect(living).toEqual([]);
    });
    await use('of a chat');
    expect(living).toEqual(['of a chat']);
  });

  it('who leaves while others are given back for it takes no memory, and keeps nobody waiting', async () => {
    const { wait, open } = gate();
    const slow = async (): Promise<Voice> => ({
      ...{ isWhole: false, sizeBytes: MB },
      hold: async () => ({ speaker: { session }, giveBack: () => wait }),
    });
    await held.use('slow', slow, {}, turn);
    const leave = new AbortController();
    const scarce = async (): Promise<Voice> => ({
      ...(await slow()),
      hold: () => Promise.reject(noMemory()),
    });
    const leaving = held.use('a', scarce, { alone: true, signal: leave.signal }, turn);
    leave.abort();
    open();
    await expect(leaving).rejects.toMatchObject({ name: 'AbortError' });
    await held.close();
    expect(living).toEqual([]);
  });

  it('what cannot be given back is told to nobody whose answer has ended', async () => {
    const stuck = async (): Promise<Voice> => ({
      ...{ isWhole: false, sizeBytes: MB },
      hold: async () => ({
        speaker: { session },
        giveBack: () => Promise.reject(new Error('it does not let go')),
      }),
    });
    await held.use('stuck', stuck, {}, turn);
    for (const id of ten) await use(id);
    expect(living).toEqual(ten.slice(-2));
  });

  it('one that is forgotten while it answers goes at the end, and is made anew after that', async () => {
    const end = talk('a');
    await turn();
    await held.forget('a');
    expect(living).toEqual(['a']);
    await use('a');
    expect(living).toEqual(['a', 'a']);
    await end();
    expect(living).toEqual(['a']);
    await held.forget('a');
    await held.forget('a');
    expect(living).toEqual([]);
    const making = use('b');
    await held.forget('b');
    await making;
    expect(living).toEqual([]);
    expect(made).toEqual(['a', 'a', 'b']);
  });

  it('a sample of a run is nobody else’s', async () => {
    await use('a');
    const { wait, open } = gate();
    const sample = held.useOnce(voice('sample'), () => wait);
    await turn();
    await use('');
    expect(made).toEqual(['a', 'sample', '']);
    open();
    await sample;
    expect(living).not.toContain('sample');
    await expect(
      held.useOnce(voice('sample'), () => Promise.reject(new Error('it says nothing'))),
    ).rejects.toThrow('it says nothing');
    expect(living).not.toContain('sample');
  });

  it('what fails while it is made is told to all who wait, and made anew by the next', async () => {
    let failing = true;
    const find = () => (failing ? Promise.reject(new Error('no such file')) : voice('a')());
    const both = [1, 2].map(() => held.use('a', find, {}, turn));
    for (const each of both) await expect(each).rejects.toThrow('no such file');
    failing = false;
    await held.use('a', find, {}, turn);
    expect(living).toEqual(['a']);
    await expect(use('a', {}, {}, () => Promise.reject(new Error('silent')))).rejects.toThrow();
    expect(living).toEqual(['a']);
  });

  it('where no memory is found, what nobody talks with goes for it', async () => {
    const scarce = (id: string) => async (): Promise<Voice> => {
      const { hold, ...rest } = await voice(id)();
      return { ...rest, hold: () => (living.length > 0 ? Promise.reject(noMemory()) : hold()) };
    };
    await use('a');
    await held.use('b', scarce('b'), {}, turn);
    expect(living).toEqual(['b']);
    const end = talk('c');
    await turn();
    await expect(held.use('d', scarce('d'), {}, turn)).rejects.toMatchObject({
      code: 'out-of-memory',
    });
    expect(living).toEqual(['c']);
    await end();
  });

  it('what closes gives back all and refuses what comes', async () => {
    const whole = { isWhole: true };
    await use('a');
    const ends = [talk('b', whole), talk('c', whole)];
    await turn();
    expect(living).toEqual(['a', 'b']);
    await held.close();
    expect(living).toEqual([]);
    await ends[0]();
    await expect(ends[1]()).rejects.toMatchObject({ code: 'disposed' });
    await expect(use('d')).rejects.toMatchObject({ code: 'disposed' });
    expect([made, living]).toEqual([['a', 'b'], []]);
  });
});
