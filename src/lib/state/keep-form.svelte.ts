/**
 * Keeps the Train page's form over reloads and visits. A tab writes only what was changed in it, and takes over what
 * another tab has written since: the last change counts, and no tab writes back what it has merely read.
 */
import { shapeKeptForm, UNTOUCHED_FORM, type KeptForm } from './kept-form';
import { readSaved, writeLocal } from './local-store';
import { trainForm } from './train-form.svelte';
import { training } from './training.svelte';

const KEY = 'form';

/** The store as this tab has last read or written it, and the form as it was then. */
let seen: string | undefined;
let followed: string | undefined;

const stored = (): string | undefined => JSON.stringify(readSaved(KEY, shapeKeptForm));

export function keepForm(form: KeptForm): void {
  writeLocal(KEY, form);
}

/** Of the Train page, while it is shown. @returns what ends it */
export function followForm(): () => void {
  followed ??= JSON.stringify(trainForm.keep());
  takeOver();
  const onStorage = ({ key }: StorageEvent): void => {
    // A store that was cleared has no key.
    if (key === null || key.endsWith(`.${KEY}`)) takeOver();
  };
  addEventListener('storage', onStorage);
  const stop = $effect.root(() => {
    $effect(() => {
      const form = trainForm.keep();
      const now = JSON.stringify(form);
      if (now === followed) return;
      followed = now;
      keepForm(form);
      seen = stored();
    });
  });
  return () => {
    removeEventListener('storage', onStorage);
    stop();
  };
}

function takeOver(): void {
  const now = stored();
  // A run that goes on has its form; what is changed after it counts.
  if (now === seen || training.active) return;
  seen = now;
  void trainForm.bringBack(now === undefined ? UNTOUCHED_FORM : (JSON.parse(now) as KeptForm));
  followed = JSON.stringify(trainForm.keep());
}
