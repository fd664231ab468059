/**
 * Writes down every request to a foreign host, before it is made, and the seal that forbids them all.
 * The hub writes its own; the service worker writes those that pass it and no hub has announced.
 */
import type { TableRecord, Tables } from '../storage/table-store';

export type LedgerOutcome =
  /** Under way, or cut short with the tab. */
  | 'pending'
  | 'ok'
  /** The host answered with an error, or its bytes were wrong. */
  | 'failed'
  | 'stopped'
  /** Never left the device: the seal was closed, or the host is not on the list. */
  | 'refused';

export interface LedgerEntry extends TableRecord {
  /** Milliseconds since 1970. */
  time: number;
  method: string;
  host: string;
  /** Without the query, which may hold a signature. */
  path: string;
  /** Where redirects led, when that is another host. */
  finalHost?: string;
  bytes: number;
  /** For a person, such as the model that it was for. */
  purpose: string;
  outcome: LedgerOutcome;
  status?: number;
}

export interface ForeignRequest {
  url: string;
  method: string;
  purpose: string;
}

export type LedgerChange = Partial<Pick<LedgerEntry, 'finalHost' | 'bytes' | 'outcome' | 'status'>>;

/** The service worker sees an announced request within moments; older marks are of killed tabs. */
const ANNOUNCEMENT_MS = 30_000;

interface Announcement extends TableRecord {
  time: number;
}

/** Requests that this thread has made. */
let sequence = 0;

const digits = (value: number): string => String(value).padStart(15, '0');

export class Ledger {
  constructor(private readonly tables: Tables) {}

  async begin(request: ForeignRequest, outcome: LedgerOutcome = 'pending'): Promise<LedgerEntry> {
    const { host, pathname } = new URL(request.url);
    const time = Date.now();
    const entry: LedgerEntry = {
      // Ids sort as the requests were made, several in one millisecond included.
      id: `${digits(time)}-${digits(sequence++)}-${crypto.randomUUID()}`,
      schemaVersion: 1,
      time,
      method: request.method,
      host,
      path: pathname,
      bytes: 0,
      purpose: request.purpose,
      outcome,
    };
    await this.tables.put('ledger', entry);
    return entry;
  }

  async finish(entry: LedgerEntry, change: LedgerChange): Promise<void> {
    await this.tables.put('ledger', { ...entry, ...change });
  }

  /** Newest first. */
  async list(): Promise<LedgerEntry[]> {
    return (await this.tables.list<LedgerEntry>('ledger')).reverse();
  }

  /** Tells the service worker that this request is written down already. */
  async announce(url: string): Promise<void> {
    const mark: Announcement = { id: markOf(url), schemaVersion: 1, time: Date.now() };
    await this.tables.put('settings', mark);
  }

  async withdraw(url: string): Promise<void> {
    await this.tables.remove('settings', markOf(url));
  }

  async isAnnounced(url: string): Promise<boolean> {
    const mark = await this.tables.get<Announcement>('settings', markOf(url));
    return mark !== undefined && Date.now() - mark.time < ANNOUNCEMENT_MS;
  }
}

const markOf = (url: string): string => {
  const { host, pathname } = new URL(url);
  return `foreign-request:${host}${pathname}`;
};

// --- the seal -----------------------------------------------------------------------------------

const SEAL_ID = 'seal';

interface Seal extends TableRecord {
  closed: boolean;
}

/** Open until a person closes it. */
export async function isSealClosed(tables: Tables): Promise<boolean> {
  return (await tables.get<Seal>('settings', SEAL_ID))?.closed ?? false;
}

export async function setSealClosed(tables: Tables, closed: boolean): Promise<void> {
  const seal: Seal = { id: SEAL_ID, schemaVersion: 1, closed };
  await tables.put('settings', seal);
}
