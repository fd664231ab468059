/** A list that the engine keeps, read when a page first needs it and again after every change. */
import { engine, type EngineRemote } from './engine.svelte';

export class Collection<Item extends { id: string }> {
  items = $state.raw<readonly Item[]>([]);
  loaded = $state(false);
  error = $state.raw<unknown>();
  #read: (api: EngineRemote) => Promise<Item[]>;
  #reading: Promise<void> | undefined;

  constructor(read: (api: EngineRemote) => Promise<Item[]>) {
    this.#read = read;
    engine.onRestart(() => {
      if (this.loaded || this.error) void this.refresh();
    });
  }

  /** Reads the list unless it is known already. */
  async ensure(): Promise<void> {
    if (!this.loaded) await this.refresh();
  }

  refresh(): Promise<void> {
    this.#reading ??= this.#refresh().finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  byId(id: string | undefined): Item | undefined {
    return this.items.find((item) => item.id === id);
  }

  async #refresh(): Promise<void> {
    try {
      this.items = await engine.call(this.#read);
      this.error = undefined;
      this.loaded = true;
    } catch (error) {
      this.error = error;
    }
  }
}
