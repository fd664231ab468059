/** The ways on from an earlier run: with the same run, or to the form, with its adapter or with its settings. */
import { tick } from 'svelte';
import type { RunSummary } from '../../rpc/engine-api';
import { formSettings } from '../../state/form-settings.svelte';
import { lang } from '../../state/lang.svelte';
import { toasts } from '../../state/toasts.svelte';
import { trainForm } from '../../state/train-form.svelte';
import { training } from '../../state/training.svelte';

/** Follows the run where runs are followed. */
export async function goOn(runId: string): Promise<void> {
  document.getElementById('run')?.scrollIntoView({ block: 'start' });
  try {
    await trainForm.goOn(runId);
  } catch (error) {
    // What ends a run under way is told where it is followed.
    if (error !== training.error && !training.cancelled) toasts.error(lang.explain(error).sentence);
  }
}

/** The focus goes to what says where the run would start. */
export async function goOnWithNewData(run: RunSummary): Promise<void> {
  trainForm.goOnWithNewData(run);
  await goTo('start-from');
}

/** The focus goes to what says what was filled in, and what was not. */
export async function fillFormFrom(run: RunSummary): Promise<void> {
  await formSettings.useRun(run);
  await goTo('settings-outcome');
}

async function goTo(id: string): Promise<void> {
  await tick();
  const place = document.getElementById(id);
  place?.scrollIntoView({ block: 'start' });
  place?.focus({ preventScroll: true });
}
