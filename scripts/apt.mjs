// Installs Debian packages where this process may: as root on Debian, so in a container or in CI.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { run } from './run-process.mjs';

const OS_RELEASE = '/etc/os-release';
const SOURCES = ['/etc/apt/sources.list', '/etc/apt/sources.list.d'];
const OUR_LIST = '/etc/apt/sources.list.d/inkstone-backports.list';
const ENVIRONMENT = { DEBIAN_FRONTEND: 'noninteractive' };

export function canUseApt() {
  return (
    process.getuid?.() === 0 && existsSync('/usr/bin/apt-get') && debianRelease() !== undefined
  );
}

/** @returns {string | undefined} `bookworm`, `trixie`, ...; undefined when this is no Debian */
export function debianRelease() {
  if (!existsSync(OS_RELEASE)) return undefined;
  const text = readFileSync(OS_RELEASE, 'utf8');
  if (!/^ID=debian$/m.test(text)) return undefined;
  return /^VERSION_CODENAME=(\w+)$/m.exec(text)?.[1] ?? 'unknown';
}

/** @param {{from?: string}} [options] `from` names a suite such as bookworm-backports, turned on when it is not */
export async function aptInstall(packages, { from } = {}) {
  if (from) turnOnSuite(from);
  const options = { env: ENVIRONMENT, quiet: true, timeoutMs: 600_000 };
  if (!(await run('apt-get', ['update', '-qq'], options))) return false;
  const target = from ? ['-t', from] : [];
  return run(
    'apt-get',
    ['install', '-y', '-qq', '--no-install-recommends', ...target, ...packages],
    options,
  );
}

function turnOnSuite(suite) {
  const files = SOURCES.flatMap((path) => {
    if (!existsSync(path)) return [];
    return path.endsWith('.d') ? readdirSync(path).map((name) => `${path}/${name}`) : [path];
  });
  const isOn = files.some((path) =>
    readFileSync(path, 'utf8')
      .split('\n')
      .some((line) => !line.startsWith('#') && line.includes(suite)),
  );
  if (!isOn) writeFileSync(OUR_LIST, `deb http://deb.debian.org/debian ${suite} main\n`);
}
