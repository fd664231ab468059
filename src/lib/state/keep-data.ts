/**
 * Asks the browser to keep what is on this device: at a click, and once at the first start of a run, when there is
 * something to lose. Where it is promised already nobody is asked, and unasked only once until the tab is closed.
 */
import { isPersisted, persistStorage } from '../storage/persist';
import { engine } from './engine.svelte';

const ASKED = 'inkstone.asked-to-keep';

/** @returns whether the browser has promised it */
export async function askToKeepData(): Promise<boolean> {
  noteAsked();
  const persisted = await persistStorage();
  engine.notePersisted(persisted);
  return persisted;
}

/** Nobody waits for it: a person may leave Firefox's question open for as long as they like. */
export async function askOnceToKeepData(): Promise<void> {
  if (wasAsked()) return;
  noteAsked();
  if (!(await isPersisted())) await askToKeepData();
}

let asked = false;

function wasAsked(): boolean {
  try {
    return asked || sessionStorage.getItem(ASKED) !== null;
  } catch {
    return asked;
  }
}

function noteAsked(): void {
  asked = true;
  try {
    sessionStorage.setItem(ASKED, '1');
  } catch {
    // Forbidden: known until the page is reloaded.
  }
}
