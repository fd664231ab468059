/** The contracts over memory, and what only memory can show without a browser. */
import { describe, expect, it } from 'vitest';
import { holdLock, isLockHeld, MemoryFiles, MemoryTables, RUN_LOCK } from '../../src/lib/storage';
import { isPersisted, persistStorage } from '../../src/lib/storage/persist';
import { estimateStorage } from '../../src/lib/storage/quota';
import { toStorageError } from '../../src/lib/storage/errors';
import { FILE_STORE_CONTRACT } from './file-store-contract';
import { TABLES_CONTRACT } from './tables-contract';

describe('files in memory', () => {
  it.each(FILE_STORE_CONTRACT)('$title', ({ run }) => run(new MemoryFiles()));

  it('say how much was needed and free when they are full, and keep the old file', async () => {
    const files = new MemoryFiles(10);
    await files.writeFile('a', new Uint8Array(6));
    await expect(files.writeFile('a', new Uint8Array(7))).rejects.toMatchObject({
      code: 'full',
      retryable: true,
      details: { what: 'a', neededBytes: 7, freeBytes: 4 },
    });
    expect((await files.list(''))[0]).toMatchObject({ path: 'a', sizeBytes: 6 });
    await files.writeFile('b', new Uint8Array(4));
    expect(await files.freeBytes()).toBe(0);
  });
});

describe('tables in memory', () => {
  it.each(TABLES_CONTRACT)('$title', ({ run }) => run(new MemoryTables()));
});

describe('a lock within one thread', () => {
  it('is refused at once while it is held, and free after success and after failure', async () => {
    let release = (): void => undefined;
    const first = holdLock(RUN_LOCK, {}, () => new Promise<void>((done) => (release = done)));
    expect(await isLockHeld(RUN_LOCK)).toBe(true);
    await expect(holdLock(RUN_LOCK, {}, () => Promise.resolve())).rejects.toMatchObject({
      code: 'second-tab',
    });
    expect(await holdLock('another', {}, () => Promise.resolve(1))).toBe(1);
    release();
    await first;
    await expect(holdLock(RUN_LOCK, {}, () => Promise.reject(new Error('inside')))).rejects.toThrow(
      'inside',
    );
    expect(await holdLock(RUN_LOCK, {}, () => Promise.resolve(2))).toBe(2);
    expect(await isLockHeld(RUN_LOCK)).toBe(false);
  });

  it('is not taken when the signal is already aborted', async () => {
    const work = () => Promise.reject(new Error('must not run'));
    await expect(holdLock('x', { signal: AbortSignal.abort() }, work)).rejects.toThrow(/abort/i);
  });
});

describe('a place without storage', () => {
  it('is reported as such, not thrown', async () => {
    const nothing = { usedBytes: 0, quotaBytes: 0, persisted: false, durable: false };
    expect(await estimateStorage()).toEqual(nothing);
    expect(await isPersisted()).toBe(false);
    expect(await persistStorage()).toBe(false);
  });
});

describe('a platform exception', () => {
  const codes = [
    ['QuotaExceededError', 'full'],
    ['NotFoundError', 'not-found'],
    ['TypeMismatchError', 'bad-path'],
    ['NoModificationAllowedError', 'busy'],
    ['SecurityError', 'unavailable'],
    ['VersionError', 'newer-version'],
    ['DataCloneError', 'failed'],
  ];
  it.each(codes)('%s becomes %s', (name, code) => {
    expect(toStorageError(new DOMException('x', name), 'the file')).toMatchObject({ code });
  });

  it('AbortError stays itself', () => {
    const abort = new DOMException('x', 'AbortError');
    expect(toStorageError(abort, 'the file')).toBe(abort);
  });
});
