/**
 * Nothing is lost, on the browser's own files, tables and locks: runs whose page crashes, is closed or loses its
 * worker at twenty random moments go on and end in the bytes of one that was let be. Plan:
 * - the deaths fall into every phase of a life, and some while a checkpoint is being written: counted and printed
 * - after each of them every file under its own name is whole, the run is interrupted or finished, its curve has no
 *   hole, and it goes on from its newest checkpoint
 * - at the end nothing half done is left, and what the runs made is as it was
 *
 * INKSTONE_KILL_SEED draws the moments of an earlier run again.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, expect, test as base } from '@playwright/test';
import { Xoshiro128 } from '../../src/lib/config/random';
import type { RunSummary, TrainRequest } from '../../src/lib/rpc/engine-api';
import { learned } from '../engine/outcome';
import { smallRun } from '../engine/small-run';
import { MortalPage } from './mortal-page';
import {
  drawDeath,
  drawDeaths,
  placeOf,
  SAVE_STEPS,
  STEPS,
  type Death,
  type Phase,
} from './moments';
import { tracesIn, type Trace } from './traces';

const SEED = Number(process.env.INKSTONE_KILL_SEED ?? Date.now() % 1_000_000);

/** Most of a life is compiling, which Chromium's software GPU does on one core. */
const BROWSERS = 2;

const test = base.extend<{ mortals: MortalPage[] }>({
  mortals: async ({ launchOptions, channel, baseURL }, use) => {
    const opened = await Promise.all(
      Array.from({ length: BROWSERS }, async () => {
        // On the disk: a private window, which tests have otherwise, keeps its files in memory.
        const folder = mkdtempSync(join(tmpdir(), 'inkstone-killed-'));
        const options = { ...launchOptions, channel, baseURL };
        return { folder, context: await chromium.launchPersistentContext(folder, options) };
      }),
    );
    await use(await Promise.all(opened.map(({ context }) => MortalPage.create(context))));
    for (const { folder, context } of opened) {
      await context.close();
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    }
  },
});

class Tally {
  readonly counts: Partial<Record<Phase | Death['kind'] | Trace['found'], number>> = {};

  add(...what: (keyof Tally['counts'])[]): void {
    for (const each of what) this.counts[each] = (this.counts[each] ?? 0) + 1;
  }
}

/** What has to have been met, and the phase in which it is looked for. */
const TO_BE_MET = [
  ['preparing', 'preparing'],
  ['stepping', 'stepping'],
  ['finishing', 'finishing'],
  ['checkpoint half written', 'saving'],
] as const;

const newestStep = (run: RunSummary | undefined) => run?.checkpoints.at(-1)?.step ?? 0;

/** One browser, and all that is begun and killed in it. */
class Ordeal {
  private readonly runs: RunSummary[] = [];
  private adapter: readonly string[] = [];
  private request: TrainRequest | undefined;

  constructor(
    private readonly mortal: MortalPage,
    private readonly tally: Tally,
  ) {}

  /** Trains once undisturbed. */
  async begin(): Promise<void> {
    const page = await this.mortal.open();
    const { modelId, datasetId } = await page.evaluate(() => window.enginePage.importSmallModel());
    this.request = smallRun(modelId, datasetId, {
      ...{ max_steps: STEPS, save_strategy: 'steps', save_steps: SAVE_STEPS, save_total_limit: 2 },
    });
    const whole = await this.mortal.train(this.request);
    expect(whole).toMatchObject({ status: 'finished', step: STEPS });
    this.adapter = await this.takeAdapter(whole);
    expect(this.adapter).toHaveLength(4);
    this.runs.push(whole);
  }

  /** As many runs as the deaths take. */
  async endure(given: readonly Death[]): Promise<void> {
    const deaths = [...given];
    const [whole] = this.runs;
    while (deaths.length > 0) {
      const name = `run ${this.runs.length}`;
      const run = await this.trainToTheEnd({ ...this.request!, name }, deaths);
      expect(run).toMatchObject({ status: 'finished', step: STEPS, name });
      expect(await this.takeAdapter(run), `${name} of seed ${SEED}`).toEqual(this.adapter);
      expect(learned(run)).toEqual(learned(whole));
      this.runs.push(run);
    }
  }

  async end(): Promise<void> {
    await this.mortal.close();
    const page = await this.mortal.open();
    await page.evaluate(() => window.enginePage.engine.freeStorage());
    expect(tracesIn(await page.evaluate(() => window.enginePage.lookAtDisk()))).toEqual([]);
    for (const run of this.runs) expect(await this.takeAdapter(run)).toEqual(this.adapter);
  }

  /** One run, killed as often as there are deaths that it has a place for. */
  private async trainToTheEnd(request: TrainRequest, deaths: Death[]): Promise<RunSummary> {
    let run: RunSummary | undefined;
    while (run?.status !== 'finished') {
      const from = newestStep(run);
      const life = { ...request, resumeRunId: run?.id };
      const death = deaths.at(0);
      const at = death && placeOf(death, from);
      if (!death || !at) return this.mortal.train(life);
      const beganMs = Date.now();
      const outcome = await this.mortal.trainUntil(life, death, at);
      if ('run' in outcome) {
        // Too late: sooner in the next run.
        deaths[0] = { ...death, share: death.share / 2 };
        return outcome.run;
      }
      deaths.shift();
      const after = `${request.name} after ${JSON.stringify(death)} of seed ${SEED}`;
      expect([undefined, from], after).toContain(outcome.startStep);
      this.tally.add(outcome.diedAt.phase, death.kind, ...(await this.lookAtDisk(beganMs, after)));
      run = await this.find(request.name, after);
      expect(newestStep(run), after).toBeGreaterThanOrEqual(from);
    }
    return run;
  }

  /** What a life that began then has left half written. */
  private async lookAtDisk(beganMs: number, after: string): Promise<Set<Trace['found']>> {
    const page = await this.mortal.open();
    const files = await page.evaluate(() => window.enginePage.lookAtDisk());
    const torn = files.filter(({ isTemporary, damage }) => !isTemporary && damage);
    expect(torn, after).toEqual([]);
    return new Set(tracesIn(files, beganMs).map(({ found }) => found));
  }

  /** What the page finds, if anything: a run to be gone on with, with no hole in its curve. */
  private async find(name: string, after: string): Promise<RunSummary | undefined> {
    const page = await this.mortal.open();
    const runs = await page.evaluate(() => window.enginePage.engine.listRuns());
    const run = runs.find((each) => each.name === name);
    if (!run) return undefined;
    // Killed after its last checkpoint a run may count as finished: it has its adapter.
    expect(['interrupted', 'finished'], after).toContain(run.status);
    const steps = run.log.map(({ step }) => step);
    expect(steps, after).toEqual(steps.map((_, i) => i + 1));
    expect(steps.length, after).toBeGreaterThanOrEqual(newestStep(run));
    return run;
  }

  private async takeAdapter(run: RunSummary): Promise<string[]> {
    return (await this.mortal.open()).evaluate((run) => window.enginePage.takeAdapter(run), run);
  }
}

test('runs killed at twenty random moments end in the bytes of one that was not', async ({
  mortals,
}) => {
  console.log(`INKSTONE_KILL_SEED=${SEED}`);
  const random = new Xoshiro128(SEED);
  const deaths = drawDeaths(random);
  const tally = new Tally();
  const ordeals = mortals.map((mortal) => new Ordeal(mortal, tally));
  await Promise.all(
    ordeals.map(async (ordeal, i) => {
      await ordeal.begin();
      await ordeal.endure(deaths.filter((_, n) => n % BROWSERS === i));
    }),
  );
  // What none of them has met is drawn again: a step is over in milliseconds, and so are the files of a checkpoint.
  for (const [what, phase] of TO_BE_MET)
    for (let more = 0; more < 10 && !tally.counts[what]; more++)
      await ordeals[0].endure([drawDeath(random, phase, 'crash')]);
  await Promise.all(ordeals.map((ordeal) => ordeal.end()));
  console.log('deaths by phase, kind and what they left', tally.counts);
  for (const [what] of TO_BE_MET) expect(tally.counts[what], what).toBeGreaterThan(0);
});
