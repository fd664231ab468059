/** Which hosts may be asked. The Content-Security-Policy is made of the same list. */
import hosts from './hosts.json';

export const DEFAULT_ENDPOINT = hosts.endpoints[0];

/** Hubs whose protocol is spoken here: the first is the original, the others are mirrors. */
export const ENDPOINTS: readonly string[] = hosts.endpoints;

const PATTERNS = [...hosts.endpoints, ...hosts.fileHosts].map((source) => new URL(source));

/** A hub on this device, such as a test's, is no foreign host, but is asked in the same way. */
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

/** As a Content-Security-Policy reads them: `*.` stands for one or more labels. */
export function isAllowedUrl(address: string): boolean {
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    return false;
  }
  if (url.username !== '' || url.password !== '') return false;
  if (LOOPBACK.has(url.hostname)) return url.protocol === 'http:' || url.protocol === 'https:';
  return PATTERNS.some(
    ({ protocol, port, hostname }) =>
      url.protocol === protocol &&
      url.port === port &&
      (hostname.startsWith('*.')
        ? url.hostname.endsWith(hostname.slice(1))
        : url.hostname === hostname),
  );
}
