// Loaded before the command line: lets its time pass INKSTONE_TEST_CLOCK times as fast, for what comes every few minutes.
const real = performance.now.bind(performance);
performance.now = () => real() * Number(process.env.INKSTONE_TEST_CLOCK);
