/** The command line in a process of its own, which may be killed or interrupted on its way. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

export interface Surroundings {
  /** Called with all that was printed so far, as often as something is. */
  readonly onOutput?: (
    printed: Pick<Outcome, 'stdout' | 'stderr'>,
    kill: (signal: NodeJS.Signals) => void,
  ) => void;
  /** Modules of this folder that are loaded before the program, to change what it finds on this machine. */
  readonly preload?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** A file descriptor in place of stdout. */
  readonly stdout?: number;
}

export const inkstone = (...words: string[]): Promise<Outcome> => inkstoneIn({}, words);

/** Kills it, as a person's machine might, once what it has printed so far says so. */
export const inkstoneUntil = (
  isEnough: (stdout: string) => boolean,
  words: readonly string[],
): Promise<Outcome> =>
  inkstoneIn(
    { onOutput: ({ stdout }, kill) => (isEnough(stdout) ? kill('SIGKILL') : undefined) },
    words,
  );

export function inkstoneIn(
  { onOutput, preload = [], env, stdout }: Surroundings,
  words: readonly string[],
): Promise<Outcome> {
  const imports = preload.map((file) => `--import=${new URL(file, import.meta.url).href}`);
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['scripts/inkstone.mjs', ...words], {
      cwd: ROOT,
      env: {
        ...process.env,
        ...env,
        NODE_OPTIONS: [process.env.NODE_OPTIONS, ...imports].join(' ').trim(),
      },
      stdio: ['ignore', stdout ?? 'pipe', 'pipe'],
    });
    const printed = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const)
      child[name]?.setEncoding('utf8').on('data', (text: string) => {
        printed[name] += text;
        onOutput?.(printed, (signal) => child.kill(signal));
      });
    child.on('error', reject);
    // Comes when the process below it, which has the same streams, has ended too.
    child.on('close', (code) => resolve({ code: code ?? -1, ...printed }));
  });
}
