// Runs a script that uses Dawn in a process of its own: the Vulkan driver is chosen before Dawn loads,
// and the notices that Dawn writes straight to the error stream (no setting turns them off) are left out.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { findVulkanDriver } from './vulkan-driver.mjs';

const NOTICE = /^Warning: max\w+ artificially reduced from/;
/** The threads of a driver can hang in a process that exits; it has announced its code, so it may be killed. */
const EXIT_PATIENCE_MS = 5000;
const NOTICE_START = 'Warning: max';

/** @returns the exit code of `script`, a file URL; the program's standard streams are this process's. */
export function runWithDawn(script, args) {
  const driver = findVulkanDriver();
  const child = spawn(process.execPath, [fileURLToPath(script), ...args], {
    env: driver ? { ...process.env, VK_DRIVER_FILES: driver } : process.env,
    // The channel ties the child to this process: see endWithParent.
    stdio: ['inherit', 'inherit', 'pipe', 'ipc'],
  });
  const filter = dropNotices((text) => process.stderr.write(text));
  child.stderr.setEncoding('utf8');
  child.stderr.on('data', filter.write);
  // A stderr that has gone, or has no room, ends no work.
  process.stderr.on('error', () => {});
  // The child decides, this one waits for its exit code. A terminal sends Ctrl+C to both processes, `kill` to this one.
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
  let announced;
  child.on('message', ({ exitCode }) => {
    announced = exitCode;
    setTimeout(() => child.kill('SIGKILL'), EXIT_PATIENCE_MS).unref();
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      filter.end();
      if (signal && announced === undefined)
        process.stderr.write(`The program was ended by ${signal}.\n`);
      resolve(announced ?? code ?? 128 + (constants.signals[signal] ?? 1));
    });
  });
}

/** Called by the child: when its parent is killed, it does not go on alone. */
export function endWithParent() {
  process.on('disconnect', () => process.exit(1));
  process.channel?.unref();
}

/** Called by the child at its end. Dawn's threads would keep the process alive without `exit`. */
export function exitWith(exitCode) {
  if (process.send) process.send({ exitCode }, () => process.exit(exitCode));
  else process.exit(exitCode);
}

/** Passes text on at once, but holds back an unfinished line that may yet turn out to be a notice. */
function dropNotices(emit) {
  let held = '';
  const write = (text) => {
    const lines = (held + text).split(/(?<=\n)/);
    const last = lines.at(-1) ?? '';
    const unfinished = last !== '' && !last.endsWith('\n');
    const mayBeNotice = NOTICE_START.startsWith(last) || last.startsWith(NOTICE_START);
    held = unfinished && mayBeNotice ? lines.pop() : '';
    for (const line of lines) if (line !== '' && !NOTICE.test(line)) emit(line);
  };
  const end = () => {
    if (held !== '' && !NOTICE.test(held)) emit(held);
  };
  return { write, end };
}
