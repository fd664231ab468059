/** The floor plan of DESIGN's layout: which room is on which tier, and the doors that are open on purpose. */

/** Rooms of `src/lib` by tier. A room imports only from lower tiers. */
export const TIERS: readonly (readonly string[])[] = [
  ['config', 'i18n'],
  ['formats', 'gpu', 'storage', 'text'],
  ['hub', 'kernels', 'peft', 'retrieval'],
  ['decoder', 'onnx-export'],
  ['training', 'inference'],
  ['vision', 'prompting', 'evaluation', 'feedback'],
  ['rpc'],
  ['engine', 'state'],
  ['ui'],
];

export const ROOMS: ReadonlySet<string> = new Set(TIERS.flat());

/** Units above all rooms. Nothing imports them, and they do not import each other. */
export type TopUnit = 'routes' | 'workers' | 'cli' | 'service-worker' | 'app';

/** What the units that a page loads may import: the heavy rooms are reached through `rpc` alone. */
export const LIGHT_UNITS: Readonly<Record<string, readonly string[]>> = {
  state: ['config', 'i18n', 'rpc'],
  ui: ['config', 'i18n', 'rpc', 'state'],
  routes: ['config', 'i18n', 'rpc', 'state', 'ui'],
};

/** What a unit above the rooms must not reach. */
export const CLOSED_TO: Readonly<Record<string, readonly string[]>> = {
  workers: ['state', 'ui'],
  cli: ['storage', 'hub', 'rpc', 'engine', 'state', 'ui'],
  'service-worker': [
    ...['kernels', 'peft', 'retrieval', 'decoder', 'onnx-export', 'training', 'inference'],
    ...['vision', 'prompting', 'evaluation', 'feedback', 'engine', 'state', 'ui', 'gpu', 'text'],
  ],
};

export interface OpenDoor {
  readonly from: string;
  /** Path of the module from the repository's root, without its ending. */
  readonly to: string;
  readonly reason: string;
}

/** Modules outside of its rooms that are light enough for a page, each with its reason. */
export const OPEN_DOORS: readonly OpenDoor[] = [
  { from: 'routes', to: 'src/app', reason: 'the style sheet of the whole page' },
  {
    from: 'routes',
    to: 'src/lib/hub/register',
    reason: 'talks to the service worker and imports nothing heavy',
  },
  {
    from: 'state',
    to: 'src/lib/hub/register',
    reason: 'the seal, the ledger and the update prompt are state that a page shows',
  },
  {
    from: 'state',
    to: 'src/lib/storage/persist',
    reason: 'only a window may ask the browser to keep the data, and it imports nothing',
  },
];

export interface Unit {
  readonly name: string;
  /** Undefined for a unit above the rooms. */
  readonly tier: number | undefined;
}

/** The room or top unit that a path from the root belongs to; undefined for what is fenced otherwise. */
export function unitOf(path: string): Unit | undefined {
  const room = /^src\/lib\/([^/]+)/.exec(path)?.[1];
  if (room !== undefined) {
    const tier = TIERS.findIndex((names) => names.includes(room));
    return { name: room, tier: tier < 0 ? undefined : tier };
  }
  if (/^src\/routes(\/|$)/.test(path)) return { name: 'routes', tier: undefined };
  if (/^src\/cli(\/|$)/.test(path)) return { name: 'cli', tier: undefined };
  if (/^src\/service-worker(\/|\.|$)/.test(path))
    return { name: 'service-worker', tier: undefined };
  if (/^src\/[^/]+$/.test(path)) return { name: 'app', tier: undefined };
  if (/^workers(\/|$)/.test(path)) return { name: 'workers', tier: undefined };
  if (/^models(\/|$)/.test(path)) return { name: 'models', tier: undefined };
  return undefined;
}
