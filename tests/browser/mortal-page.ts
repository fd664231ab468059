/**
 * A page with the engine's worker that a test can kill, in a browser whose files outlive it: its renderer crashes,
 * it is closed, or its worker is ended. Remembers how long each phase of a life took, so that a later life can
 * end in the middle of one.
 */
import type { BrowserContext, CDPSession, Page } from '@playwright/test';
import type { RunSummary, TrainEvent, TrainRequest } from '../../src/lib/rpc/engine-api';
import { placeAfter, type Death, type DeathKind, type Phase, type Place } from './moments';

/** Where a life was when it died, and the step that it went on from; the run where it came to the end before. */
export type Outcome =
  { readonly diedAt: Place; readonly startStep: number | undefined } | { readonly run: RunSummary };

/** From an event in the worker to the test, and from there to a death: some such time, on an idle machine. */
const ON_THE_WAY_MS = 12;

const BEGINNING: Place = { phase: 'preparing', step: 0 };

export class MortalPage {
  private page: Page | undefined;
  private session: CDPSession | undefined;
  private place = BEGINNING;
  private startStep: number | undefined;
  private cameMs = 0;
  private onMove: (() => void) | undefined;
  private readonly lastedMs: Record<Phase, number[]> = {
    ...{ preparing: [], stepping: [], saving: [], finishing: [] },
  };

  private constructor(private readonly context: BrowserContext) {}

  static async create(context: BrowserContext): Promise<MortalPage> {
    const mortal = new MortalPage(context);
    await context.exposeBinding('tellTrainEvent', ({ page }, event: TrainEvent) => {
      if (event.kind === 'prepared') mortal.startStep = event.startStep;
      const place = placeAfter(event);
      if (place && page === mortal.page) mortal.move(place);
    });
    return mortal;
  }

  /** The page as it is; where there is none a new one, whose engine has not begun. */
  async open(): Promise<Page> {
    if (!this.page) {
      this.page = await this.context.newPage();
      this.session = await this.context.newCDPSession(this.page);
      await this.page.goto('/engine-page.html');
    }
    return this.page;
  }

  async close(): Promise<void> {
    await this.page?.close();
    this.page = this.session = undefined;
  }

  async train(request: TrainRequest): Promise<RunSummary> {
    const run = await (await this.begin(request)).ended;
    this.note();
    return run;
  }

  async trainUntil(request: TrainRequest, death: Death, at: Place): Promise<Outcome> {
    const { ended } = await this.begin(request);
    const run = await Promise.race([ended, this.momentOf(death, at)]);
    if (run) {
      this.note();
      return { run };
    }
    await this.die(death.kind);
    // Nobody is left who could tell how it ended.
    await ended.catch(() => undefined);
    return { diedAt: this.place, startStep: this.startStep };
  }

  /** Not the promise itself, which whoever awaits this would wait for. */
  private async begin(request: TrainRequest): Promise<{ readonly ended: Promise<RunSummary> }> {
    const page = await this.open();
    [this.place, this.cameMs, this.startStep] = [BEGINNING, performance.now(), undefined];
    return { ended: page.evaluate((request) => window.enginePage.train(request), request) };
  }

  private async momentOf({ phase, share }: Death, at: Place): Promise<undefined> {
    if (phase !== 'preparing')
      await new Promise<void>((resolve) => {
        this.onMove = () => {
          if (this.place.phase === phase && this.place.step === at.step) resolve();
        };
      });
    const waitMs = share * median(this.lastedMs[phase]) - ON_THE_WAY_MS;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, waitMs)));
    return undefined;
  }

  private move(place: Place): void {
    this.note();
    this.place = place;
    this.onMove?.();
  }

  private note(): void {
    const now = performance.now();
    this.lastedMs[this.place.phase].push(now - this.cameMs);
    this.cameMs = now;
  }

  private async die(kind: DeathKind): Promise<void> {
    const page = await this.open();
    // The page lives on and starts another.
    if (kind === 'terminate') return page.evaluate(() => window.enginePage.terminate());
    if (kind === 'crash') {
      const gone = page.waitForEvent('crash');
      void this.session!.send('Page.crash').catch(() => undefined);
      await gone;
    }
    await this.close();
  }
}

function median(values: readonly number[]): number {
  const ordered = values.toSorted((a, b) => a - b);
  return ordered[ordered.length >> 1];
}
