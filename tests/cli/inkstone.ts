/** The command line in a process of its own, which may be killed on its way. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

export const inkstone = (...words: string[]): Promise<Outcome> => inkstoneUntil(undefined, words);

/** Kills it, as a person's machine might, once what it has printed so far says so. */
export function inkstoneUntil(
  isEnough: ((stdout: string) => boolean) | undefined,
  words: readonly string[],
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['scripts/inkstone.mjs', ...words], { cwd: ROOT });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      if (isEnough?.(stdout)) child.kill('SIGKILL');
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', reject);
    // Comes when the process below it, which has the same streams, has ended too.
    child.on('close', (code) => resolve({ code: code ?? -1, stdout, stderr }));
  });
}
