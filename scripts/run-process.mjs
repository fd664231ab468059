// Runs another program for a script of ours: no shell, no stdin, a time limit; and npm without a shell.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));
export const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;

/**
 * @param {{env?: Record<string, string>, timeoutMs?: number, quiet?: boolean, cwd?: string}} [options]
 * `quiet` keeps the output and prints it only when the program fails.
 * @returns {Promise<boolean>} whether it ended with 0; it never rejects
 */
export function run(command, args, { env = {}, timeoutMs, quiet = false, cwd = root } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', quiet ? 'pipe' : 'inherit', quiet ? 'pipe' : 'inherit'],
    });
    let output = '';
    child.stdout?.on('data', (chunk) => (output += chunk));
    child.stderr?.on('data', (chunk) => (output += chunk));
    const timer =
      timeoutMs === undefined
        ? undefined
        : setTimeout(() => {
            console.error(`${command} was ended after ${seconds(timeoutMs)}.`);
            child.kill('SIGKILL');
          }, timeoutMs);
    const end = (ok) => {
      clearTimeout(timer);
      if (!ok && output) process.stderr.write(output);
      resolve(ok);
    };
    child.on('error', (error) => {
      output += `${command} could not be started: ${error.message}\n`;
      if (!quiet) console.error(output.trim());
      end(false);
    });
    child.on('close', (code) => end(code === 0));
  });
}

/** Runs a program that an installed package brings, by its file inside node_modules. */
export function runPackage(file, args, options) {
  return run(process.execPath, [join(root, 'node_modules', file), ...args], options);
}

/** npm is a script for Node: found beside Node, or named by the npm that runs us. */
export function runNpm(args, options) {
  const beside = dirname(process.execPath);
  const script = [
    process.env.npm_execpath?.endsWith('npm-cli.js') ? process.env.npm_execpath : undefined,
    join(beside, 'node_modules', 'npm', 'bin', 'npm-cli.js'),
    join(beside, '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js'),
  ].find((path) => path !== undefined && existsSync(path));
  return script ? run(process.execPath, [script, ...args], options) : run('npm', args, options);
}
