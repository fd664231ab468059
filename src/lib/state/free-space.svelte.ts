/** How much room older checkpoints and other leftovers take, and giving it back. */
import { adapters } from './adapters.svelte';
import { engine } from './engine.svelte';
import { runs } from './runs.svelte';
import { takeAway } from './take-away.svelte';
import { tour } from './tour.svelte';

class FreeSpace {
  /** Undefined until it has been measured. */
  bytes = $state<number>();
  freeing = $state(false);

  async measure(): Promise<void> {
    try {
      this.bytes = await engine.call((api) => api.measureFreeable());
    } catch {
      // The offer is left out; whatever is wrong shows where it matters.
      this.bytes = undefined;
    }
  }

  /** @returns bytes that were freed */
  async free(): Promise<number> {
    this.freeing = true;
    try {
      const freed = await engine.call((api) => api.freeStorage());
      // Files that were written to be taken away are among them.
      takeAway.exported = tour.file = undefined;
      await Promise.all([runs.refresh(), adapters.refresh(), this.measure()]);
      void engine.refreshDevice();
      return freed;
    } finally {
      this.freeing = false;
    }
  }
}

export const freeSpace = new FreeSpace();
