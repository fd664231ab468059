/** What an answer or an evaluation waits for, as a sentence. */
import type { WaitsFor } from '../rpc/engine-api';
import { adapters } from './adapters.svelte';
import { lang } from './lang.svelte';

export function waitingSentence(waitsFor: WaitsFor): string {
  const t = lang.t.common.waitsFor;
  if (waitsFor.kind === 'sample') return t.sample;
  const { kind, adapterId, adapterName } = waitsFor;
  const adapter = adapters.byId(adapterId);
  // One that is deleted meanwhile talks to the end.
  return t[kind](adapter ? adapters.nameOf(adapter) : adapterName);
}
