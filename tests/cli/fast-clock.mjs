// Loaded before the command line: its time passes INKSTONE_TEST_CLOCK times as fast, for what comes every few minutes
// and what waits for seconds.
import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers/promises';

const speed = Number(process.env.INKSTONE_TEST_CLOCK);
const now = performance.now.bind(performance);
performance.now = () => now() * speed;
const { setTimeout } = timers;
timers.setTimeout = (ms, ...rest) => setTimeout(ms / speed, ...rest);
syncBuiltinESMExports();
