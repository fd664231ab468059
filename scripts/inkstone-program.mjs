// Started by inkstone.mjs. Loads the command line from its sources, runs it and turns its end into an
// exit code: an error that a room foresaw is one line, any other shows its stack only when asked.
import { endWithParent, exitWith } from './dawn-process.mjs';
import { openSourceLoader } from './source-loader.mjs';

endWithParent();
const loader = await openSourceLoader();
let exitCode = 1;
try {
  const { InkstoneError } = await loader.load('/src/lib/config/errors.ts');
  const { main } = await loader.load('/src/cli/main.ts');
  exitCode = await main(process.argv.slice(2)).catch((error) => {
    console.error(describe(error, error instanceof InkstoneError));
    return 1;
  });
} catch (error) {
  console.error(describe(error, false));
}
await loader.close();
exitWith(exitCode);

function describe(error, isForeseen) {
  const message = error instanceof Error ? error.message : String(error);
  if (process.env.INKSTONE_DEBUG === '1' && error instanceof Error) return error.stack ?? message;
  const line = message.replace(/\s*\n\s*/g, ' ');
  if (isForeseen) return line;
  return `Inkstone failed unexpectedly: ${line} (INKSTONE_DEBUG=1 shows where)`;
}
