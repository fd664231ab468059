// Started by inkstone.mjs. Loads the command line, runs it and turns its end into an
// exit code: an error that a room foresaw is one line, any other shows its stack only when asked.
import './patient-dawn.mjs';
import { endWithParent, exitWith } from './dawn-process.mjs';
import { loadProgram } from './program-bundle.mjs';

const wantsTrace = process.env.INKSTONE_DEBUG === '1';

endWithParent();
let exitCode = 1;
try {
  if (wantsTrace) process.setSourceMapsEnabled(true);
  const { main, InkstoneError } = await loadProgram('src/cli/main.ts');
  exitCode = await main(process.argv.slice(2)).catch((error) => {
    console.error(describe(error, error instanceof InkstoneError));
    return 1;
  });
} catch (error) {
  console.error(describe(error, false));
}
exitWith(exitCode);

function describe(error, isForeseen) {
  const message = error instanceof Error ? error.message : String(error);
  if (wantsTrace && error instanceof Error) return error.stack ?? message;
  const line = message.replace(/\s*\n\s*/g, ' ');
  if (isForeseen) return line;
  return `Inkstone failed unexpectedly: ${line} (INKSTONE_DEBUG=1 shows where)`;
}
