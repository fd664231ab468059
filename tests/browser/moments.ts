/**
 * The moments at which a run is killed: drawn from a seed, spread over all parts of a life, and told from the
 * events that the run sends. Knows no browser.
 */
import type { Xoshiro128 } from '../../src/lib/config/random';
import type { TrainEvent } from '../../src/lib/rpc/engine-api';

/** Steps of the run; it saves a checkpoint after every second one. */
export const STEPS = 12;
export const SAVE_STEPS = 2;

/** `preparing` until the first step can begin, `finishing` from the last step on, while the adapter is written. */
const DEATHS_IN = { preparing: 4, stepping: 4, saving: 8, finishing: 4 } as const;
export type Phase = keyof typeof DEATHS_IN;

const DEATHS_BY = { crash: 7, close: 7, terminate: 6 } as const;
export type DeathKind = keyof typeof DEATHS_BY;

export interface Death {
  readonly phase: Phase;
  readonly kind: DeathKind;
  /** Of the phases of this kind that the life has, which; 0 to 1. */
  readonly which: number;
  /** How much of it goes by; 0 to 1. */
  readonly share: number;
}

/** Twenty. */
export function drawDeaths(random: Xoshiro128): Death[] {
  const kinds = shuffled(repeated(DEATHS_BY), random);
  return shuffled(repeated(DEATHS_IN), random).map((phase, i) =>
    drawDeath(random, phase, kinds[i]),
  );
}

export const drawDeath = (random: Xoshiro128, phase: Phase, kind: DeathKind): Death => ({
  ...{ phase, kind, which: random.nextUnit(), share: random.nextUnit() },
});

const repeated = <Name extends string>(counts: Readonly<Record<Name, number>>): Name[] =>
  (Object.keys(counts) as Name[]).flatMap((name) => Array<Name>(counts[name]).fill(name));

function shuffled<Value>(values: readonly Value[], random: Xoshiro128): Value[] {
  const order = [...values];
  for (let i = order.length - 1; i > 0; i--) {
    const j = random.nextBelow(i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/** Where a life is: a phase, and after which step. */
export interface Place {
  readonly phase: Phase;
  readonly step: number;
}

const saves = (step: number) => step % SAVE_STEPS === 0;

/** Where a life goes on after an event; undefined for one that changes nothing. */
export function placeAfter(event: TrainEvent): Place | undefined {
  if (event.kind === 'prepared') return { phase: 'stepping', step: event.startStep };
  if (event.kind !== 'step' && event.kind !== 'checkpoint') return undefined;
  const { step } = event;
  if (step === STEPS) return { phase: 'finishing', step };
  return { phase: event.kind === 'step' && saves(step) ? 'saving' : 'stepping', step };
}

/** Where a life that goes on from a step is to end; undefined where it never comes to such a phase. */
export function placeOf({ phase, which }: Death, startStep: number): Place | undefined {
  if (phase === 'preparing') return { phase, step: startStep };
  const steps = Array.from({ length: STEPS - startStep }, (_, i) => startStep + i);
  const places = {
    stepping: steps,
    saving: steps.filter((step) => saves(step) && step > startStep),
    finishing: [STEPS],
  }[phase];
  return places.length > 0 ? { phase, step: places[Math.floor(which * places.length)] } : undefined;
}
