/** Everything the person made, out to one file and in again: how far it is, how long it takes, what came of it. */
import type {
  ArchiveProgress,
  EverythingExported,
  EverythingImported,
  PageKeepings,
} from '../rpc/engine-api';
import { adapters } from './adapters.svelte';
import { chat } from './chat.svelte';
import { datasets } from './datasets.svelte';
import { engine, type Activity, type EngineRemote } from './engine.svelte';
import { evaluations } from './evaluation.svelte';
import { freeSpace } from './free-space.svelte';
import { keepForm } from './keep-form.svelte';
import { adoptKeepings, collectKeepings } from './keepings';
import { models } from './models.svelte';
import { runs } from './runs.svelte';
import { saveFile } from './save-file';
import { settings } from './settings.svelte';
import { takeAway } from './take-away.svelte';
import { TimeLeft } from './time-left';

class Everything {
  running = $state<'export' | 'import'>();
  progress = $state.raw<ArchiveProgress>();
  /** Undefined until it can be told. */
  msLeft = $state<number>();
  exported = $state.raw<EverythingExported>();
  imported = $state.raw<EverythingImported>();
  error = $state.raw<unknown>();
  /** The last attempt was stopped by the person. */
  cancelled = $state(false);
  #abort: AbortController | undefined;

  readonly share: number | undefined = $derived(
    this.progress && this.progress.totalBytes > 0 && this.progress.stage !== 'read'
      ? Math.min(1, this.progress.doneBytes / this.progress.totalBytes)
      : undefined,
  );

  async takeAlong(): Promise<void> {
    // The file of the last export is replaced.
    takeAway.exported = undefined;
    await this.#run('export', async (api, call) => {
      const exported = await api.exportEverything({ page: collectKeepings() }, call);
      this.exported = exported;
      this.save();
      void freeSpace.measure();
    });
  }

  /** Hands the written file to the browser, again if it was not kept the first time. */
  save(): void {
    if (this.exported) saveFile(this.exported.file, this.exported.fileName);
  }

  async bringBack(file: File): Promise<void> {
    await this.#run('import', async (api, call) => {
      const imported = await api.importEverything({ file }, call);
      this.imported = imported;
      this.#adopt(imported.page, imported.newIds);
      await Promise.all(
        [models, datasets, runs, adapters, evaluations].map((list) => list.refresh()),
      );
      void engine.refreshDevice();
    });
  }

  stop(): void {
    this.#abort?.abort();
  }

  #adopt(page: PageKeepings, newIds: Readonly<Record<string, string>>): void {
    const keepings = adoptKeepings(page, newIds);
    if (keepings.settings) settings.adopt(keepings.settings);
    if (keepings.chat) chat.adopt(keepings.chat);
    if (keepings.form) keepForm(keepings.form);
  }

  async #run(
    kind: 'export' | 'import',
    work: (
      api: EngineRemote,
      call: { signal: AbortSignal; onProgress: (update: ArchiveProgress) => void },
    ) => Promise<void>,
  ): Promise<void> {
    const abort = (this.#abort = new AbortController());
    this.running = kind;
    this.cancelled = false;
    this.progress = this.msLeft = this.error = this.exported = this.imported = undefined;
    const timeLeft = new TimeLeft();
    try {
      await engine.track('exporting', kind, (api, activity) =>
        work(api, { signal: abort.signal, onProgress: this.#show(activity, timeLeft) }),
      );
    } catch (error) {
      if (abort.signal.aborted) this.cancelled = true;
      else this.error = error;
    } finally {
      this.running = undefined;
    }
  }

  #show = (activity: Activity, timeLeft: TimeLeft) => (update: ArchiveProgress) => {
    this.progress = update;
    this.msLeft = timeLeft.after(update, performance.now());
    activity.share = this.share ?? 0;
  };
}

export const everything = new Everything();
