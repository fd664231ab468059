/** What a command says: results on stdout, everything else on stderr. A stdout that fails ends no work. */

let failure: NodeJS.ErrnoException | undefined;
let isWatched = false;

/** @param line without its end */
export function print(line: string): void {
  if (!isWatched) process.stdout.on('error', fail);
  isWatched = true;
  if (failure) return;
  try {
    process.stdout.write(`${line}\n`);
  } catch (error) {
    fail(error as NodeJS.ErrnoException);
  }
}

export function tell(sentence: string): void {
  process.stderr.write(`${sentence}\n`);
}

/** Whether all that was printed has gone out. */
export async function isPrinted(): Promise<boolean> {
  if (isWatched && !failure)
    await new Promise<void>((resolve) => process.stdout.write('', () => resolve()));
  return failure === undefined;
}

function fail(error: NodeJS.ErrnoException): void {
  if (!failure) tell(`What is printed here no longer arrives on stdout (${error.code}).`);
  failure = error;
}
