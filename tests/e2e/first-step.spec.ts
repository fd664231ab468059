/**
 * How long a person waits after Start: `npm run test:e2e first-step` prints it, for data chosen and Start pressed at once,
 * some seconds after the page came. The kernels are compiled by then, and the first sample answers come after the step.
 *
 * The promise is 3 s. One reading says as much about whoever else uses this machine as about the page, so the best of
 * up to three counts, and the first that keeps the promise is the last: a busy moment is forgiven, a page that has
 * become slower is late each time. Each reading has a browser of its own: a second page of the same one finds kernels
 * compiled in its GPU process, which nobody has who presses Start for the first time.
 */
import { chromium, expect, test, type Page } from '@playwright/test';
import { openTrain, reaches } from './short-run';

/** To look at the page and choose, as a person does; INKSTONE_LOOKING_MS tells another time. */
const LOOKING_MS = Number(process.env.INKSTONE_LOOKING_MS ?? 6000);
const PROMISE_MS = 3000;
const MOST_READINGS = 3;

const startAtOnce = async (page: Page) => {
  await page.getByRole('radio', { name: /Customer service \(English\)/ }).check();
  await expect(page.getByText('The recipe tuned for this sample is in use.')).toBeVisible();
  await page.getByRole('button', { name: 'Start training' }).click();
};

async function readFirstStepMs(page: Page): Promise<number> {
  await expect(page.getByRole('radio', { name: /Customer service \(English\)/ })).toBeVisible();
  await page.waitForTimeout(LOOKING_MS);
  await startAtOnce(page);
  const pressed = Date.now();
  await reaches(page, 1);
  return Date.now() - pressed;
}

test('the first step is done within 3 s of Start, and then the model answers as it was before', async ({
  launchOptions,
  channel,
  baseURL,
  locale,
  timezoneId,
  viewport,
}) => {
  const firstStepMs: number[] = [];
  let kept = false;
  while (!kept && firstStepMs.length < MOST_READINGS) {
    const browser = await chromium.launch({ ...launchOptions, channel });
    try {
      const context = await browser.newContext({ baseURL, locale, timezoneId, viewport });
      const page = await openTrain(context);
      firstStepMs.push(await readFirstStepMs(page));
      kept = firstStepMs.at(-1)! < PROMISE_MS;
      const before = page.locator('#run').getByText('before', { exact: true }).first();
      if (kept) await expect(before).toBeVisible();
    } finally {
      await browser.close();
    }
  }
  console.log(JSON.stringify({ firstStepMs }));
  expect(Math.min(...firstStepMs)).toBeLessThan(PROMISE_MS);
});
