/**
 * Nothing is lost, on the built app with the real engine: a run is paused, talked to, gone on with, and then
 * its page is killed, once by a crash of its process and once by closing it. Opened again the app offers to go
 * on, and the adapter that comes of it has the bytes of one whose run nobody disturbed.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, test, type BrowserContext, type Page } from '@playwright/test';
import { readZip } from '../../src/lib/formats';
import { useLanguage } from './tour-page';

test.describe.configure({ timeout: 900_000 });

const STEPS = 24;
const RUN_TIMEOUT_MS = 300_000;

async function openTrain(context: BrowserContext): Promise<Page> {
  const page = await context.newPage();
  await useLanguage(page, 'en');
  await page.goto('/train');
  return page;
}

/** Short rows, dropout and shuffling as the recipe has them, a checkpoint every third step. */
async function start(page: Page): Promise<void> {
  await page.getByRole('radio', { name: /Customer service \(English\)/ }).check();
  const fill = (name: RegExp, value: string) => page.getByRole('textbox', { name }).fill(value);
  await fill(/^Rows a batch/, '1');
  await fill(/^Batches a step/, '1');
  await fill(/^Maximum length/, '96');
  await page.getByText('Everything else').click();
  await fill(/^Most steps/, String(STEPS));
  await page.getByLabel(/^Checkpoints save_strategy/).selectOption('steps');
  await fill(/^Checkpoint every/, '3');
  await page.getByLabel(/^Questions to ask/).fill('');
  await page.getByRole('button', { name: 'Start training' }).click();
}

/** The run's own words about how far it is. */
const reaches = (page: Page, step: number) =>
  expect
    .poll(
      async () => {
        const words = await page
          .locator('#run')
          .getByText(/^Step \d+ of/)
          .first()
          .textContent();
        return Number(/\d+/.exec(words ?? '')?.[0]);
      },
      { timeout: RUN_TIMEOUT_MS, intervals: [50] },
    )
    .toBeGreaterThanOrEqual(step);

/** SHA-256 of each file of the adapter that a finished run offers. */
async function takeAdapter(page: Page): Promise<Record<string, string>> {
  const run = page.locator('#run');
  await expect(run.getByText('Training is finished')).toBeVisible({ timeout: RUN_TIMEOUT_MS });
  await run.getByRole('link', { name: 'Merge or export', exact: true }).click();
  const download = page.waitForEvent('download', { timeout: RUN_TIMEOUT_MS });
  await page.locator('#take').getByRole('button', { name: 'Export as zip' }).click();
  const entries = readZip(new Uint8Array(readFileSync(await (await download).path())));
  return Object.fromEntries(
    entries.map((entry) => [entry.name, createHash('sha256').update(entry.read()).digest('hex')]),
  );
}

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
  await start(undisturbed);
  const expected = await takeAdapter(undisturbed);
  expect(Object.keys(expected).sort()).toEqual([
    'adapter_config.json',
    'adapter_model.safetensors',
  ]);
  await undisturbed.close();

  let page = await openTrain(context);
  await start(page);
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
