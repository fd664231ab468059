/**
 * A run's output folder: its checkpoints as `checkpoint-STEP`, each whole or not there, and at the end its result.
 * Removes only what the run wrote, whatever else lies in the folder. Knows no GPU.
 */
import { dirname, join } from 'node:path';
import { ADAPTER_CONFIG_FILE, ADAPTER_WEIGHTS_FILE } from '$lib/peft';
import {
  checkpointName,
  checkpointStep,
  surplusCheckpoints,
  TRAINER_STATE_FILE,
  type Checkpoint,
  type CheckpointFiles,
} from '$lib/training';
import { readBytes, removeFolder, writeFileAtomically, writeFolderAtomically } from './disk';
import {
  earlierCheckpoints,
  RUN_SETTINGS_FILE,
  writeRunSettings,
  type CheckpointKind,
  type RunSettings,
} from './resume';

/** Of the one that is being written; of a killed run it stays until the next is written. */
const UNFINISHED = 'checkpoint.part';

export interface RunFolderOptions {
  readonly path: string;
  readonly settings: RunSettings;
  /** The checkpoint that the run goes on from, in this folder or in another. */
  readonly from?: { readonly path: string; readonly step: number };
  readonly toFiles: (checkpoint: Checkpoint) => CheckpointFiles;
}

export class RunFolder {
  private constructor(
    private readonly options: RunFolderOptions,
    /** Steps of what this run wrote. */
    private readonly written: Map<number, CheckpointKind>,
  ) {}

  static async open(options: RunFolderOptions): Promise<RunFolder> {
    const { path, settings, from } = options;
    const written = from ? await earlierCheckpoints(path, from.step, settings) : new Map();
    return new RunFolder(options, written);
  }

  /** The newest checkpoint that is whole. */
  get newest(): string | undefined {
    const { from } = this.options;
    const newest = Math.max(...this.written.keys());
    return this.written.size > 0 && newest >= (from?.step ?? 0) ? this.pathOf(newest) : from?.path;
  }

  /** @throws CliError `write`; what was there before is then as it was */
  async write(checkpoint: Checkpoint, kind: CheckpointKind): Promise<void> {
    const { path, settings, toFiles } = this.options;
    const { global_step: step } = checkpoint.state;
    const files = new Map<string, Uint8Array | string>([
      [RUN_SETTINGS_FILE, writeRunSettings(settings, kind)],
      ...toFiles(checkpoint),
    ]);
    await writeFolderAtomically(
      this.pathOf(step),
      join(path, UNFINISHED),
      files,
      TRAINER_STATE_FILE,
    );
    this.written.set(step, kind);
  }

  /** Of one that was just written, or that the run goes on from: what it makes superfluous goes. */
  async thinAfter(step: number, best: number | undefined): Promise<void> {
    if (this.written.get(step) !== undefined) await this.thin(step, best);
  }

  /** As the Trainer does at its end: one checkpoint is the best one, not the last. */
  async keepOnlyBest(best: number | undefined): Promise<void> {
    const { save_total_limit } = this.options.settings.args;
    if (save_total_limit === 1 && best !== undefined && this.written.has(best))
      await this.thin(best, undefined);
  }

  /** @returns undefined where no such checkpoint is left. @throws CliError `file` */
  async readAdapter(step: number): Promise<CheckpointFiles | undefined> {
    const folder = this.written.has(step) ? this.pathOf(step) : this.besideStart(step);
    if (folder === undefined) return undefined;
    const files = new Map<string, Uint8Array>();
    for (const name of [ADAPTER_CONFIG_FILE, ADAPTER_WEIGHTS_FILE]) {
      const bytes = await readBytes(join(folder, name)).catch(() => undefined);
      if (!bytes) return undefined;
      files.set(name, bytes);
    }
    return files;
  }

  /** What the run was for, beside its checkpoints. @throws CliError `write` */
  async writeResult(checkpoint: Checkpoint): Promise<void> {
    const files = this.options.toFiles(checkpoint);
    for (const name of [ADAPTER_CONFIG_FILE, ADAPTER_WEIGHTS_FILE, TRAINER_STATE_FILE])
      await writeFileAtomically(join(this.options.path, name), files.get(name)!);
  }

  /** What cannot be removed now goes with the next. */
  private async thin(kept: number, best: number | undefined): Promise<void> {
    const ofKind = (wanted: CheckpointKind) =>
      [...this.written].flatMap(([step, kind]) => (kind === wanted ? [step] : []));
    const passed = ofKind('resume-point').filter((step) => step < kept);
    const { save_total_limit } = this.options.settings.args;
    // One that no room was found for keeps no other from staying.
    const spared = best !== undefined && this.written.has(best) ? best : undefined;
    const limit = this.written.get(kept) === 'asked' ? save_total_limit : null;
    const surplus = surplusCheckpoints(ofKind('asked'), kept, limit, spared);
    for (const step of [...passed, ...surplus]) {
      const isGone = await removeFolder(this.pathOf(step)).then(
        () => true,
        () => false,
      );
      if (isGone) this.written.delete(step);
    }
  }

  private pathOf(step: number): string {
    return join(this.options.path, checkpointName(step));
  }

  /** What was the best before the run was ended lies where it went on from. */
  private besideStart(step: number): string | undefined {
    const { from } = this.options;
    return from && join(dirname(from.path), checkpointName(step));
  }
}

/** Step of the best checkpoint so far. */
export const bestStep = (state: Checkpoint['state']): number | undefined =>
  checkpointStep(state.best_model_checkpoint ?? '');
