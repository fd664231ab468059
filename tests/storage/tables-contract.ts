/** What every Tables does. Each case gets empty ones. */
import type { TableRecord, Tables } from '../../src/lib/storage';
import { equal, rejects, type Case } from './expectations';

interface Run extends TableRecord {
  name: string;
  log?: { step: number }[];
}

const run = (id: string, name: string): Run => ({ id, schemaVersion: 1, name });

const numbered = (from: number, count: number): { n: number }[] =>
  Array.from({ length: count }, (_, index) => ({ n: from + index }));

export const TABLES_CONTRACT: Case<Tables>[] = [
  {
    title: 'a record reads back, is replaced by its id, and one that is not there is undefined',
    async run(tables) {
      await tables.put('runs', { ...run('a', 'first'), log: [{ step: 1 }] });
      await tables.put('runs', { ...run('a', 'second'), log: [{ step: 2 }] });
      equal(await tables.get('runs', 'a'), { ...run('a', 'second'), log: [{ step: 2 }] });
      equal(await tables.get('runs', 'b'), undefined);
      equal(await tables.get('models', 'a'), undefined);
    },
  },
  {
    title: 'a listing is in the order of ids, whatever the order of writing',
    async run(tables) {
      await tables.put('runs', run('b', '2'), run('c', '3'));
      await tables.put('runs', run('a', '1'));
      equal(
        (await tables.list<Run>('runs')).map(({ name }) => name),
        ['1', '2', '3'],
      );
      equal(await tables.list('adapters'), []);
    },
  },
  {
    title: 'removing takes the named records and clearing takes all of one table',
    async run(tables) {
      await tables.put('runs', run('a', '1'), run('b', '2'), run('c', '3'));
      await tables.put('models', run('a', 'kept'));
      await tables.remove('runs', 'a', 'c', 'never-there');
      equal(await tables.list('runs'), [run('b', '2')]);
      await tables.clear('runs');
      equal([await tables.list('runs'), await tables.list('models')], [[], [run('a', 'kept')]]);
    },
  },
  {
    title: 'a record that cannot be stored leaves the table as it was',
    async run(tables) {
      const bad = { ...run('b', 'bad'), callback: () => 0 };
      await rejects(tables.put<TableRecord>('runs', run('a', 'good'), bad), anyCode);
      equal(await tables.list('runs'), []);
      await tables.put('runs', run('a', 'good'));
      equal((await tables.list('runs')).length, 1);
    },
  },
  {
    title: 'updates of one record follow each other, and one that throws changes nothing',
    async run(tables) {
      const add = (n: number) =>
        tables.update<Run>('runs', 'a', (found) => ({
          ...run('a', `${found?.name ?? ''}${n}`),
          log: [...(found?.log ?? []), { step: n }],
        }));
      await Promise.all([add(1), add(2), add(3)]);
      equal((await tables.get<Run>('runs', 'a'))?.log, [{ step: 1 }, { step: 2 }, { step: 3 }]);
      const refuse = (): Run => {
        throw new RangeError('not this one');
      };
      await rejects(tables.update<Run>('runs', 'a', refuse), /^(failed|RangeError)$/);
      await rejects(tables.update<Run>('runs', 'b', refuse), /^(failed|RangeError)$/);
      equal(
        (await tables.list<Run>('runs')).map(({ name }) => name),
        ['123'],
      );
    },
  },
  {
    title: 'what was read is a copy',
    async run(tables) {
      await tables.put('runs', { ...run('a', 'kept'), log: [{ step: 1 }] });
      const read = await tables.get<Run>('runs', 'a');
      read?.log?.push({ step: 9 });
      equal((await tables.get<Run>('runs', 'a'))?.log, [{ step: 1 }]);
    },
  },
  {
    title: 'rows come back in order over any window, however they were appended',
    async run(tables) {
      await tables.appendRows('d', numbered(0, 100));
      await tables.appendRows('d', numbered(100, 700));
      await tables.appendRows('d', numbered(800, 1));
      await tables.appendRows('d', []);
      equal(await tables.countRows('d'), 801);
      equal(await tables.readRows('d', 0, 3), numbered(0, 3));
      equal(await tables.readRows('d', 250, 300), numbered(250, 300));
      equal(await tables.readRows('d', 255, 2), numbered(255, 2));
      equal(await tables.readRows('d', 256, 256), numbered(256, 256));
      equal(await tables.readRows('d', 799, 50), numbered(799, 2));
      equal(await tables.readRows('d', 900, 5), []);
      equal(await tables.readRows('d', 0, 0), []);
      equal((await tables.readRows('d', 0, 801)).length, 801);
    },
  },
  {
    title: 'rows of other datasets are untouched, even where one id begins another',
    async run(tables) {
      await tables.appendRows('d', numbered(0, 3));
      await tables.appendRows('d2', numbered(50, 2));
      await tables.removeRows('d');
      equal([await tables.countRows('d'), await tables.countRows('d2')], [0, 2]);
      equal(await tables.readRows('d', 0, 9), []);
      equal(await tables.countRows('never'), 0);
    },
  },
  {
    title: 'two appends at once lose nothing',
    async run(tables) {
      await Promise.all([
        tables.appendRows('d', numbered(0, 300)),
        tables.appendRows('d', numbered(300, 300)),
      ]);
      const seen = (await tables.readRows<{ n: number }>('d', 0, 600)).map(({ n }) => n);
      equal(new Set(seen).size, 600);
    },
  },
];

/** IndexedDB and structuredClone name the refusal differently; the room turns the first into 'failed'. */
const anyCode = /^(failed|DataCloneError)$/;
