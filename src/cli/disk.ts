/** Folders and files on disk, for the command line alone; the browser's are in storage/. */
import { createWriteStream } from 'node:fs';
import {
  copyFile,
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

/** Writes under a temporary name, then renames, so that a half-written file is never taken for a whole one. */
export async function writeFileAtomically(
  path: string,
  content: Uint8Array | string | AsyncIterable<Uint8Array>,
): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.part`;
  if (typeof content === 'string' || content instanceof Uint8Array)
    await writeFile(temporary, content);
  else await pipeline(Readable.from(content), createWriteStream(temporary));
  await rename(temporary, path);
}

export async function removeFile(path: string): Promise<void> {
  await rm(path, { force: true });
}

export async function removeFolder(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
}

/** Copies those of the files that exist. */
export async function copyPresent(names: readonly string[], from: string, to: string) {
  await mkdir(to, { recursive: true });
  const present = await readdir(from);
  for (const name of names)
    if (present.includes(name)) await copyFile(join(from, name), join(to, name));
}
