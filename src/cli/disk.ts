/** Folders and files on disk, for the command line alone; the browser's are in storage/. */
import { constants, createWriteStream } from 'node:fs';
import {
  access,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { FolderAccess } from '$lib/decoder';
import { CliError } from './errors';

/** @throws CliError `file` when the folder is missing */
export async function openFolder(path: string): Promise<FolderAccess> {
  const found = await stat(path).catch(() => undefined);
  if (!found?.isDirectory())
    throw new CliError('file', `${path} is no folder. Give the folder that holds config.json.`);
  return {
    list: async () => (await readdir(path)).sort(),
    sizeBytes: async (name) => (await stat(join(path, name))).size,
    readRange: async (name, begin, end) => {
      const file = await open(join(path, name));
      try {
        const bytes = new Uint8Array(end - begin);
        const { bytesRead } = await file.read(bytes, 0, bytes.length, begin);
        return bytes.subarray(0, bytesRead);
      } finally {
        await file.close();
      }
    },
  };
}

/** @throws CliError `file` */
export async function readBytes(path: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (error) {
    throw new CliError(
      'file',
      `${path} cannot be read (${(error as NodeJS.ErrnoException).code}).`,
    );
  }
}

export async function readText(path: string): Promise<string> {
  return new TextDecoder().decode(await readBytes(path));
}

const ELSEWHERE = 'Choose another folder.';
const PERMIT = 'Change its permissions, or choose another folder.';
const FREE_SPACE = 'Free some space there.';

/** What can be wrong with a folder that is written to, and what to do. */
const TROUBLES: Readonly<Record<string, readonly [found: string, remedy: string]>> = {
  ENOSPC: ['the disk is full', FREE_SPACE],
  EDQUOT: ['your share of the disk is used up', FREE_SPACE],
  EFBIG: ['a file may not be that large there', ELSEWHERE],
  EIO: ['the disk fails', 'Check it, or choose another folder.'],
  EROFS: ['it can only be read', ELSEWHERE],
  EACCES: ['that is not permitted', PERMIT],
  EPERM: ['that is not permitted', PERMIT],
  ENOTDIR: ['a part of that path is a file', ELSEWHERE],
  EEXIST: ['it is a file', ELSEWHERE],
};

/**
 * Runs what writes to a folder.
 * @throws CliError `write` for what the system refuses
 */
async function writing<Result>(folder: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (code === undefined || syscall === undefined) throw error;
    const [found, remedy] = TROUBLES[code] ?? ['the system refuses', ELSEWHERE];
    const message = `${folder} cannot be written: ${found} (${code}). ${remedy}`;
    throw new CliError('write', message, { retryable: true, cause: error });
  }
}

/** Before work that would be lost. @throws CliError `write` */
export async function requireWritable(folder: string): Promise<void> {
  await writing(folder, async () => {
    await mkdir(folder, { recursive: true });
    await access(folder, constants.W_OK);
  });
}

/**
 * Writes under a temporary name, then renames, so that a half-written file is never taken for a whole one.
 * @throws CliError `write`
 */
export async function writeFileAtomically(
  path: string,
  content: Uint8Array | string | AsyncIterable<Uint8Array>,
): Promise<void> {
  const temporary = `${path}.part`;
  await writing(dirname(path), async () => {
    await mkdir(dirname(path), { recursive: true });
    try {
      if (typeof content === 'string' || content instanceof Uint8Array)
        await writeFile(temporary, content, { flush: true });
      else await pipeline(Readable.from(content), createWriteStream(temporary, { flush: true }));
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined);
      throw error;
    }
  });
}

/**
 * All files of a folder or none: written under a temporary name, then renamed. In a folder that is there already
 * they replace those of the same name, at no cost of space; what else lies in it stays.
 * @param last the file that makes the folder whole, which is away while others are replaced
 * @throws CliError `write`
 */
export async function writeFolderAtomically(
  path: string,
  temporary: string,
  files: ReadonlyMap<string, Uint8Array | string>,
  last: string,
): Promise<void> {
  await writing(dirname(path), async () => {
    try {
      await rm(temporary, { recursive: true, force: true });
      await mkdir(temporary, { recursive: true });
      for (const [name, content] of files)
        await writeFile(join(temporary, name), content, { flush: true });
      if (!(await exists(path))) return await rename(temporary, path);
      await rm(join(path, last), { force: true });
      const names = [...files.keys()].filter((name) => name !== last);
      for (const name of [...names, last]) await rename(join(temporary, name), join(path, name));
      await rm(temporary, { recursive: true });
    } catch (error) {
      await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
      throw error;
    }
  });
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/** @throws CliError `write` */
export async function removeFolder(path: string): Promise<void> {
  await writing(dirname(path), () => rm(path, { recursive: true, force: true }));
}

/** Copies those of the files that exist. @throws CliError */
export async function copyPresent(names: readonly string[], from: string, to: string) {
  const present = await readdir(from);
  for (const name of names)
    if (present.includes(name))
      await writeFileAtomically(join(to, name), await readBytes(join(from, name)));
}
