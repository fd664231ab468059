/** What a run came to, in forms in which two runs can be compared. Knows neither Node nor a page. */
import { readZip } from '$lib/formats';
import type { RunSummary } from '$lib/rpc/engine-api';

/** A log without how fast each step was, which no two runs share. */
export const learned = ({ log }: Pick<RunSummary, 'log'>) =>
  log.map((entry) => ({ ...entry, tokens_per_second: undefined }));

/** Name and bytes of each file of a zip, in base64. */
export const contentsOf = (zip: Uint8Array<ArrayBuffer>): string[] =>
  readZip(zip).map(({ name, read }) => `${name} ${toBase64(read())}`);

function toBase64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
}
