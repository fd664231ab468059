/**
 * Nothing is lost, on the built app with the real engine: a run is paused, talked to, gone on with, and then
 * its page is killed, once by a crash of its process and once by closing it. Opened again the app offers to go
 * on, and the adapter that comes of it has the bytes of one whose run nobody disturbed.
 */
import { expect, test, type BrowserContext, type Page } from '@playwright/test';
import {
  openTrain,
  reaches,
  RUN_TIMEOUT_MS,
  startAgain,
  startRun,
  STEPS,
  takeAdapter,
} from './short-run';

test.describe.configure({ timeout: 900_000 });

async function talkWhilePaused(page: Page): Promise<void> {
  await page
    .locator('#run')
    .getByRole('link', { name: /^Talk to it as of step/ })
    .first()
    .click();
  await page.getByText('Generation options').click();
  await page.getByRole('textbox', { name: /^Longest answer/ }).fill('4');
  await page.getByLabel('Write your question').fill('Hello');
  await page.keyboard.press('Enter');
  await expect(page.getByText(/tokens\/s · first after/)).toHaveCount(2, {
    timeout: RUN_TIMEOUT_MS,
  });
  await page.getByRole('link', { name: 'Train', exact: true }).first().click();
}

/** The renderer's process dies, and the engine's worker with it. */
async function crash(page: Page): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const gone = page.waitForEvent('crash');
  void session.send('Page.crash').catch(() => undefined);
  await gone;
  await page.close();
}

async function goOn(context: BrowserContext): Promise<Page> {
  const page = await openTrain(context);
  const history = page.locator('#history');
  await expect(history.getByText('interrupted')).toBeVisible();
  await history.getByRole('button', { name: /^Go on training/ }).click();
  return page;
}

test('a run that was paused, talked to, crashed and closed ends in the bytes of one that was not', async ({
  context,
}) => {
  const undisturbed = await openTrain(context);
  await startRun(undisturbed);
  const expected = await takeAdapter(undisturbed);
  expect(Object.keys(expected).sort()).toEqual([
    'README.md',
    'adapter_config.json',
    'adapter_model.safetensors',
    'trainer_state.json',
  ]);
  await undisturbed.close();

  let page = await openTrain(context);
  await startAgain(page);
  await reaches(page, 3);
  await page.getByRole('button', { name: 'Pause', exact: true }).click();
  const resume = page.getByRole('button', { name: 'Continue', exact: true });
  await expect(resume).toBeVisible({ timeout: RUN_TIMEOUT_MS });
  await talkWhilePaused(page);
  await resume.click();
  await reaches(page, 8);
  await crash(page);

  page = await goOn(context);
  await reaches(page, 15);
  await page.close();

  page = await goOn(context);
  expect(await takeAdapter(page)).toEqual(expected);
  await page.goto('/train');
  const history = page.locator('#history');
  await expect(history.getByText('interrupted')).toHaveCount(0);
  await expect(history.getByText(`Step ${STEPS} of ${STEPS}`)).toHaveCount(2);
});
