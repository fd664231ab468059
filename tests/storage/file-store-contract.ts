/** What every FileStore does. Each case gets an empty store. */
import type { FileStore } from '../../src/lib/storage';
import { equal, rejects, type Case } from './expectations';

const bytes = (...values: number[]): Uint8Array => new Uint8Array(values);

async function* chunks(...parts: (Uint8Array | Error)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) {
    await Promise.resolve();
    if (part instanceof Error) throw part;
    yield part;
  }
}

const readAll = async (store: FileStore, path: string): Promise<Uint8Array> =>
  new Uint8Array(await (await store.readFile(path)).arrayBuffer());

const paths = async (store: FileStore, prefix = ''): Promise<string[]> =>
  (await store.list(prefix)).map(({ path }) => path);

const BAD_PATHS = [
  '/absolute',
  '../up',
  'a/../b',
  'a/./b',
  'a//b',
  'a/',
  'a\\b',
  'c:d',
  'nul\u0000',
  'line\nbreak',
  'x.tmp~',
  'n'.repeat(201),
  '字'.repeat(67),
  `${'a/'.repeat(501)}b`,
];

export const FILE_STORE_CONTRACT: Case<FileStore>[] = [
  {
    title: 'a file written whole or in pieces reads back the same',
    async run(store) {
      await store.writeFile('a/whole.bin', bytes(1, 2, 3));
      await store.writeFile('a/pieces.bin', chunks(bytes(4), bytes(), bytes(5, 6)));
      await store.writeFile('empty', bytes());
      equal(await readAll(store, 'a/whole.bin'), bytes(1, 2, 3));
      equal(await readAll(store, 'a/pieces.bin'), bytes(4, 5, 6));
      equal((await store.readFile('empty')).size, 0);
      equal((await store.readFile('a/whole.bin')).name, 'whole.bin');
    },
  },
  {
    title: 'names in Chinese, with spaces and with a leading dot are ordinary names',
    async run(store) {
      await store.writeFile('模型/我的 模型.json', bytes(1));
      await store.writeFile('模型/.hidden', bytes(2));
      equal(await paths(store, '模型'), ['模型/.hidden', '模型/我的 模型.json']);
    },
  },
  {
    title: 'writing again replaces the file, shorter ones too',
    async run(store) {
      await store.writeFile('a', bytes(1, 2, 3, 4));
      await store.writeFile('a', bytes(9));
      equal(await readAll(store, 'a'), bytes(9));
    },
  },
  {
    title: 'a chunk that is a view of a larger buffer is written as the view',
    async run(store) {
      await store.writeFile('view', bytes(1, 2, 3, 4, 5).subarray(1, 3));
      equal(await readAll(store, 'view'), bytes(2, 3));
    },
  },
  {
    title: 'a source that fails leaves the old file and nothing else, and its own error comes out',
    async run(store) {
      await store.writeFile('a', bytes(1));
      const error = await rejects(
        store.writeFile('a', chunks(bytes(2), new RangeError('the source broke'))),
        'RangeError',
      );
      equal((error as Error).message, 'the source broke');
      await rejects(
        store.writeFile('new', chunks(bytes(2), new RangeError('again'))),
        'RangeError',
      );
      equal(await readAll(store, 'a'), bytes(1));
      equal(await paths(store), ['a']);
    },
  },
  {
    title: 'a reader sees the old file until the new one is whole',
    async run(store) {
      await store.writeFile('a', bytes(1));
      let seen: unknown;
      async function* slow(): AsyncGenerator<Uint8Array> {
        yield bytes(2);
        seen = [await readAll(store, 'a'), await paths(store)];
        yield bytes(3);
      }
      await store.writeFile('a', slow());
      equal(seen, [bytes(1), ['a']]);
      equal(await readAll(store, 'a'), bytes(2, 3));
    },
  },
  {
    title: 'appending creates, goes on, and keeps what came before an error',
    async run(store) {
      await store.appendFile('a/part', bytes(1));
      await rejects(
        store.appendFile('a/part', chunks(bytes(2, 3), new RangeError('dropped'))),
        'RangeError',
      );
      await store.appendFile('a/part', chunks(bytes(4), bytes(5)));
      equal(await readAll(store, 'a/part'), bytes(1, 2, 3, 4, 5));
    },
  },
  {
    title: 'a range is cut to the file, and an empty one is empty',
    async run(store) {
      await store.writeFile('a', bytes(0, 1, 2, 3, 4));
      equal(await store.readRange('a', 1, 3), bytes(1, 2));
      equal(await store.readRange('a', 3, 99), bytes(3, 4));
      equal(await store.readRange('a', 5, 9), bytes());
      equal(await store.readRange('a', 2, 2), bytes());
    },
  },
  {
    title: 'a listing is sorted, deep, sized, and never mistakes a name for a prefix',
    async run(store) {
      for (const path of ['m/b/2', 'm/b/1', 'm/a', 'm2/x', 'top']) {
        await store.writeFile(path, bytes(1, 2));
      }
      equal(await paths(store, 'm'), ['m/a', 'm/b/1', 'm/b/2']);
      equal(await paths(store, 'm/b'), ['m/b/1', 'm/b/2']);
      equal(await paths(store, 'top'), ['top']);
      equal(await paths(store, 'none/at/all'), []);
      equal(await paths(store, 'top/below'), []);
      equal((await paths(store)).length, 5);
      const [entry] = await store.list('top');
      equal([entry.sizeBytes, Math.abs(Date.now() - entry.modifiedMs) < 60_000], [2, true]);
    },
  },
  {
    title: 'removing takes a file, a folder or everything, and what is not there is no error',
    async run(store) {
      for (const path of ['m/a', 'm/b/c', 'm2/x', 'top']) await store.writeFile(path, bytes(1));
      await store.remove('nothing/here');
      await store.remove('m');
      equal(await paths(store), ['m2/x', 'top']);
      await store.remove('top');
      equal(await paths(store), ['m2/x']);
      await store.remove('');
      equal(await paths(store), []);
    },
  },
  {
    title: 'renaming moves to another folder and replaces what is there',
    async run(store) {
      await store.writeFile('a', bytes(1));
      await store.writeFile('b/c', bytes(2));
      await store.rename('a', 'b/c');
      await store.rename('b/c', 'b/d');
      equal(await paths(store), ['b/d']);
      equal(await readAll(store, 'b/d'), bytes(1));
    },
  },
  {
    title: 'only a file exists, not a folder',
    async run(store) {
      await store.writeFile('m/a', bytes(1));
      const found = [];
      for (const path of ['m/a', 'm', 'm/b', 'm/a/c']) found.push(await store.exists(path));
      equal(found, [true, false, false, false]);
    },
  },
  {
    title: 'what is not there is refused by name',
    async run(store) {
      await rejects(store.readFile('none'), 'not-found');
      await rejects(store.readFile('no/folder/either'), 'not-found');
      await rejects(store.readRange('none', 0, 1), 'not-found');
      await rejects(store.rename('none', 'x'), 'not-found');
    },
  },
  {
    title: 'a file cannot stand where a folder is, nor the other way round',
    async run(store) {
      await store.writeFile('file', bytes(1));
      await store.writeFile('folder/inner', bytes(1));
      await rejects(store.writeFile('file/below', bytes(2)), 'bad-path');
      await rejects(store.writeFile('folder', bytes(2)), 'bad-path');
      await store.writeFile('folder/other', bytes(2));
      equal(await paths(store), ['file', 'folder/inner', 'folder/other']);
    },
  },
  {
    title: 'paths that could leave the store are refused everywhere; a good one beside them is not',
    async run(store) {
      await store.writeFile('good/path.bin', bytes(1));
      for (const path of BAD_PATHS) {
        await rejects(store.writeFile(path, bytes(1)), 'bad-path');
        await rejects(store.appendFile(path, bytes(1)), 'bad-path');
        await rejects(store.readFile(path), 'bad-path');
        await rejects(store.list(path), 'bad-path');
        await rejects(store.remove(path), 'bad-path');
        await rejects(store.exists(path), 'bad-path');
        await rejects(store.rename('good/path.bin', path), 'bad-path');
      }
      await rejects(store.writeFile('', bytes(1)), 'bad-path');
      equal(await paths(store), ['good/path.bin']);
    },
  },
  {
    title: 'many files can be written at once, also under one name',
    async run(store) {
      await Promise.all([1, 2, 3, 4].map((n) => store.writeFile(`many/${n}`, bytes(n))));
      await Promise.all([1, 2, 3, 4].map((n) => store.writeFile('one', bytes(n, n))));
      equal((await paths(store, 'many')).length, 4);
      const [a, b] = await readAll(store, 'one');
      equal([a === b, await paths(store, 'one')], [true, ['one']]);
    },
  },
];
