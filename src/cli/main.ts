/** The command line: parses the words, runs one command, leaves errors to the caller. */
import { parseArgs } from 'node:util';
import { evaluate } from './commands/evaluate';
import { exportModel } from './commands/export';
import { merge } from './commands/merge';
import { train } from './commands/train';
import { CliError } from './errors';
import { isPrinted } from './print';

/** What `main` throws for what the person can mend, for whoever runs it. */
export { InkstoneError } from '$lib/config';

interface Command {
  readonly required: readonly string[];
  readonly optional: readonly string[];
  /** Options that may stand alone: '' then. */
  readonly valueless?: readonly string[];
  /** Resolves to the exit code where that is the command's to say. */
  readonly run: (options: Record<string, string>) => Promise<number | void>;
}

const COMMANDS: Readonly<Record<string, Command>> = {
  train: {
    required: ['model', 'dataset', 'config', 'output'],
    optional: ['init-adapter', 'eval-dataset', 'resume'],
    valueless: ['resume'],
    run: (options) => train(options as unknown as Parameters<typeof train>[0]),
  },
  evaluate: {
    required: ['model', 'dataset'],
    optional: ['adapter'],
    run: (options) => evaluate(options as unknown as Parameters<typeof evaluate>[0]),
  },
  merge: {
    required: ['model', 'adapter', 'output'],
    optional: [],
    run: (options) => merge(options as unknown as Parameters<typeof merge>[0]),
  },
  export: {
    required: ['model', 'format', 'output'],
    optional: ['adapter', 'dtype'],
    run: (options) => exportModel(options as unknown as Parameters<typeof exportModel>[0]),
  },
};

export const USAGE = `inkstone COMMAND

  train    --model DIR --dataset FILE [--eval-dataset FILE] --config FILE [--init-adapter DIR] --output DIR
           [--resume [DIR]]  goes on from a checkpoint; without DIR from the newest one in the output folder
           --init-adapter begins from an adapter, with the settings that it was made with
           Every few minutes, and at Ctrl+C or SIGTERM, the output folder gets a checkpoint to go on from;
           what has no room there is told, and tried again, while training goes on.
  evaluate --model DIR [--adapter DIR] --dataset FILE
  merge    --model DIR --adapter DIR --output DIR
  export   --model DIR [--adapter DIR] --format onnx --dtype fp32|fp16|q4 --output DIR
`;

/** @returns the exit code. @throws InkstoneError for what the person can mend */
export async function main(argv: readonly string[]): Promise<number> {
  const [name, ...words] = argv;
  if (name === undefined || name === '--help' || name === 'help') {
    process.stdout.write(USAGE);
    return name === undefined ? 1 : 0;
  }
  const command = COMMANDS[name];
  if (!command)
    throw new CliError(
      'usage',
      `There is no command ${name}; there are ${Object.keys(COMMANDS).join(', ')}.`,
    );
  const code = await command.run(parseOptions(name, command, words));
  if (code !== undefined) return code;
  return (await isPrinted()) ? 0 : 1;
}

/** `parseArgs` knows options with a value and options without, not one that is either. */
function withEmptyValues({ valueless = [] }: Command, words: readonly string[]): string[] {
  return words.map((word, i) => {
    const standsAlone = words[i + 1] === undefined || words[i + 1].startsWith('--');
    return standsAlone && valueless.some((option) => word === `--${option}`) ? `${word}=` : word;
  });
}

function parseOptions(name: string, command: Command, words: readonly string[]) {
  const known = [...command.required, ...command.optional];
  const options = Object.fromEntries(known.map((option) => [option, { type: 'string' as const }]));
  let values: Record<string, string | undefined>;
  try {
    values = parseArgs({ args: withEmptyValues(command, words), options, strict: true }).values;
  } catch (error) {
    const allowed = known.map((option) => `--${option}`).join(', ');
    throw new CliError('usage', `${name}: ${(error as Error).message} Allowed: ${allowed}.`);
  }
  const missing = command.required.filter((option) => !values[option]);
  if (missing.length > 0)
    throw new CliError('usage', `${name} needs ${missing.map((o) => `--${o}`).join(', ')}.`);
  return values as Record<string, string>;
}
