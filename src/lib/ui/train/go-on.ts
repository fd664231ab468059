/** Leads from an earlier run to the form, filled in to teach its adapter something new. */
import { tick } from 'svelte';
import type { RunSummary } from '../../rpc/engine-api';
import { trainForm } from '../../state/train-form.svelte';

/** The focus goes to what says where the run would start. */
export async function goOnWithNewData(run: RunSummary): Promise<void> {
  trainForm.goOnWithNewData(run);
  await tick();
  const place = document.getElementById('start-from');
  place?.scrollIntoView({ block: 'start' });
  place?.focus({ preventScroll: true });
}
