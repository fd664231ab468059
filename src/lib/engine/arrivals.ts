/**
 * Folders that are being filled and have no record yet. A lock says so of each, which the browser frees when the tab
 * dies: a folder with neither a record nor a lock is what a crash has left.
 */
import { holdLock, isLockHeld } from '../storage';

const lockOf = (folder: string) => `inkstone:arriving:${folder}`;

/** Runs `work`, which fills the folder and then records it. */
export const whileArriving = <Result>(folder: string, work: () => Promise<Result>) =>
  holdLock(lockOf(folder), {}, work);

/** Those of the folders that are being filled now, in any tab. */
export async function arrivingOf(folders: readonly string[]): Promise<string[]> {
  const held = await Promise.all(folders.map((folder) => isLockHeld(lockOf(folder))));
  return folders.filter((_, index) => held[index]);
}
