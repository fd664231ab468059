/**
 * Ends the wait for work that has stopped moving. Only seconds in which this thread was free count: not
 * those of a sleeping phone, nor those in which a long computation held the thread.
 */

const TICK_MS = 1000;

/**
 * @param work gets a function to call whenever it moved, which starts the count again
 * @param onStill the error for `seconds` without a move; what `work` still does is ignored from then on
 */
export function withWatchdog<Result>(
  seconds: number,
  work: (moved: () => void) => Promise<Result>,
  onStill: () => Error,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    let still = 0;
    // Ticks that fall into a blocked second are dropped by the platform, not made up for.
    const timer = setInterval(() => {
      if (++still < seconds) return;
      clearInterval(timer);
      reject(onStill());
    }, TICK_MS);
    work(() => (still = 0))
      .then(resolve, reject)
      .finally(() => clearInterval(timer));
  });
}
