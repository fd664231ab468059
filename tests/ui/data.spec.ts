/**
 * Plan: looking at data before a run, and going on from a run with new data, over the scripted engine. Clean
 * data says so; findings show their rows by number and what to do, by keyboard alone; what is left out is in the
 * summary, in the request and in the run's record; a plot has its table; tokens are reached from a cut row; a
 * longer length takes the finding away, what is marked is the answer, and the limit is where it cuts; a model on this
 * device is looked at without being opened, which only its time needs, and one that is not here is asked for first.
 * Several files at once, picked and dropped, are taken or refused each by its name. Long prose is learned in parts
 * unless the person says otherwise. A second round: from the history and from the form, with the method locked, back
 * to the model, and in the record. axe looks at each state.
 */
import { expect, test, type Locator, type Page } from '@playwright/test';
import { expectAccessible } from './expect-accessible';
import { openPage } from './open-page';

const choose = (page: Page, name: string | RegExp) => page.getByRole('radio', { name }).check();
const data = (page: Page) => page.locator('#data');
const finding = (page: Page, heading: RegExp): Locator =>
  data(page)
    .getByRole('listitem')
    .filter({ has: page.getByRole('heading', { name: heading }) });

test('clean data says so, and its lengths are a plot with a table', async ({ page }) => {
  await openPage(page, '/train');
  await choose(page, /Medical questions \(English\)/);
  await expect(
    data(page).getByText('120 rows, 120 to learn from, and 60 separate evaluation questions.'),
  ).toBeVisible();
  for (const words of ['No duplicates', 'No empty answers', 'No answer is cut off'])
    await expect(data(page).getByText(words, { exact: true })).toBeVisible();
  await expect(
    data(page).getByRole('img', { name: /^How long the rows are: Half of the rows have \d+/ }),
  ).toBeVisible();
  await data(page).getByText('Show as a table').click();
  await expect(data(page).getByRole('columnheader', { name: 'Answer cut off' })).toBeVisible();
  await expect(data(page).getByRole('rowheader', { name: '17–20' })).toBeVisible();
  await expectAccessible(page);
  // Past every row the limit is words alone; within them it stands where the first cut bar begins.
  const limit = data(page).locator('path.limit');
  await expect(limit).toHaveCount(0);
  await page.getByRole('textbox', { name: /^Maximum length/ }).fill('40');
  await expect(limit).toHaveCount(1);
  const leftOf = async (path: Locator) =>
    parseFloat((await path.getAttribute('d'))!.slice('M'.length));
  const firstCut = data(page).locator('.plot path.edge').first();
  expect(await leftOf(limit)).toBeCloseTo(await leftOf(firstCut), 3);
});

for (const [locale, theme, width] of [
  ['en', 'light', 1280],
  ['zh-CN', 'night', 390],
] as const)
  test(`findings, by keyboard: ${locale}, ${theme}, ${width} px`, async ({ page }) => {
    const zh = locale === 'zh-CN';
    await openPage(page, '/train', { locale, theme, width });
    await choose(page, /门诊问答/);
    const duplicates = finding(page, zh ? /^重复/ : /^Duplicates/);
    await expect(duplicates.getByRole('heading')).toContainText('3');
    await duplicates.locator('summary').press('Enter');
    const found = duplicates.getByRole('list', {
      name: zh ? '重复：数据' : 'Duplicates: rows',
    });
    await expect(found.getByRole('listitem')).toHaveCount(3);
    await expect(found.getByText(zh ? '与第 3 条相同' : 'the same as row 3')).toBeVisible();
    await expectAccessible(page);

    await duplicates.getByRole('checkbox').press('Space');
    const summary = data(page).getByText(zh ? /^共 42 条：/ : /^42 rows: /);
    await expect(summary).toContainText(zh ? '剔除 3 条' : '3 left out');
    await expect(duplicates.getByRole('checkbox')).toBeChecked();
    // The rows stay open, and the focus stays where it was.
    await expect(duplicates.getByRole('checkbox')).toBeFocused();
    await expect(found.getByRole('listitem')).toHaveCount(3);

    const leaked = finding(
      page,
      zh ? /^评测题混进了训练/ : /^Evaluation questions in the training data/,
    );
    await leaked.locator('summary').press('Enter');
    await expect(
      leaked.getByText(zh ? /^训练数据第 21 条也问：/ : /^row 21 of the training/),
    ).toBeVisible();
    await expectAccessible(page);

    const cut = finding(page, zh ? /^回答被截断/ : /^Answers cut off/);
    await cut.locator('summary').press('Enter');
    await cut
      .getByRole('button', { name: zh ? '查看第 5 条的词元' : 'See the tokens of row 5' })
      .press('Enter');
    const preview = data(page).locator('details', {
      has: page.getByRole('heading', { name: zh ? '模型会看到的样子' : 'What the model will see' }),
    });
    await expect(preview.locator('summary')).toBeFocused();
    const tokens = preview.getByRole('group', { name: zh ? '第 5 条' : 'Row 5' });
    await expect(tokens).toContainText('糖尿病早期有哪些表现？');
    await expect(tokens.locator('mark .token')).toHaveText([
      '多饮',
      '、',
      '多尿',
      '、',
      '多食',
      '和体',
      '重下',
      '降',
      '。',
    ]);
    await preview.getByRole('textbox', { name: zh ? '第几条' : 'Row' }).fill('9');
    await expect(preview.getByRole('group', { name: zh ? '第 9 条' : 'Row 9' })).toBeVisible();
    await expectAccessible(page);

    await cut
      .getByRole('button', {
        name: zh ? '把最大长度提高到 704' : 'Raise the maximum length to 704',
      })
      .press('Enter');
    await expect(
      data(page).getByText(zh ? '没有被截断的回答' : 'No answer is cut off', { exact: true }),
    ).toBeVisible();
    await expect(cut).toBeHidden();
  });

test('what is left out goes with the run into its record, and not to other data', async ({
  page,
}) => {
  await openPage(page, '/train');
  await choose(page, /门诊问答/);
  const empty = finding(page, /^Empty answers/);
  await empty.getByRole('checkbox', { name: 'Leave out empty answers' }).check();
  await choose(page, /Medical questions \(Chinese\)/);
  await expect(data(page).getByText('No empty answers', { exact: true })).toBeVisible();
  await choose(page, /门诊问答/);
  await expect(empty.getByRole('checkbox')).not.toBeChecked();
  await empty.getByRole('checkbox').check();
  await page.getByRole('button', { name: 'Start training' }).click();
  await expect(empty.getByRole('checkbox')).toBeDisabled();
  await expect(page.getByText('Training is finished')).toBeVisible({ timeout: 30_000 });
  const history = page.locator('#history');
  await history
    .getByRole('button', { name: /^Show: 门诊问答\.jsonl/ })
    .first()
    .click();
  await expect(history.getByText('Left out: empty answers')).toBeVisible();
});

test('a model on this device is not opened to be looked at, only for its time to be measured', async ({
  page,
}) => {
  await openPage(page, '/train');
  await page.getByLabel('Model to train').selectOption('merged-clinic');
  await choose(page, /门诊问答/);
  const run = page.locator('#run');
  await expect(finding(page, /^Duplicates/)).toBeVisible();
  await expect(run.getByText(/of graphics memory/)).toBeVisible();
  const measure = run.getByRole('button', { name: 'Measure the time' });
  await expect(measure).toBeVisible();
  // Past the moment at which it would be measured by itself.
  await page.waitForTimeout(1000);
  await expect(run.getByText(/^About .* on this device, .* a step/)).toHaveCount(0);
  await expectAccessible(page);
  await measure.click();
  await expect(run.getByText(/^About .* on this device, .* a step/)).toBeVisible();
  await expect(measure).toHaveCount(0);
});

test('a model that is not on this device is fetched to be looked at only when asked', async ({
  page,
}) => {
  await openPage(page, '/train', { scenario: 'from-elsewhere' });
  await page
    .locator('#history')
    .getByRole('button', { name: /^Go on with new data: 医学/ })
    .click();
  await choose(page, /门诊问答/);
  await expect(data(page).getByText(/tokenizer of the model decides how long/)).toBeVisible();
  await expect(data(page).getByText(/are downloaded first/)).toBeVisible();
  await expectAccessible(page);
  const predict = page.getByRole('button', { name: 'Tell what it will take' });
  await expect(predict).toBeVisible();
  await data(page).getByRole('button', { name: 'Look at this data' }).click();
  await expect(finding(page, /^Duplicates/)).toBeVisible();
  // The one yes is enough for both.
  await expect(page.locator('#run').getByText(/of graphics memory/)).toBeVisible();
  await expect(predict).toHaveCount(0);
});

test('long data shows how far it is, and a change stops and asks anew', async ({ page }) => {
  await openPage(page, '/train', { scenario: 'slow', width: 390 });
  await choose(page, /门诊问答/);
  await expect(data(page).getByRole('progressbar', { name: 'Counting tokens' })).toBeVisible();
  await expectAccessible(page);
  await choose(page, /Medical questions \(English\)/);
  await expect(data(page).getByText(/^120 rows, 120 to learn from/)).toBeVisible();
});

for (const [locale, theme, width] of [
  ['en', 'light', 390],
  ['zh-CN', 'night', 1280],
] as const)
  test(`several files at once: ${locale}, ${theme}, ${width} px`, async ({ page }) => {
    const zh = locale === 'zh-CN';
    await openPage(page, '/train', { locale, theme, width });
    const good = '[{"instruction": "a", "output": "b"}]';
    const files = [
      { name: 'one.json', text: good },
      { name: 'broken.json', text: 'hello' },
      { name: 'other.json', text: '[{"q": "a", "a": "b"}]' },
      { name: 'two.json', text: good },
    ];
    const picker = page.locator('#data input[type=file]');
    for (const ending of ['.txt', '.md', '.jsonl', '.csv'])
      await expect(picker).toHaveAttribute('accept', new RegExp(`\\${ending}\\b`));
    await expect(data(page).getByText(zh ? /按空行分段/ : /each paragraph is a row/)).toBeVisible();
    await picker.setInputFiles(
      files.map(({ name, text }) => ({
        ...{ name, mimeType: 'application/json', buffer: Buffer.from(text) },
      })),
    );
    const said = data(page).getByRole('status').first();
    await expect(said).toHaveText(
      zh
        ? '4 个文件：读入 2 个，1 个要说明各栏是什么，1 个没能读入。'
        : '4 files: 2 read, 1 needs its columns explained, 1 not read.',
    );
    await expect(page.getByRole('radio', { name: /^one\.json/ })).toBeVisible();
    await expect(page.getByRole('radio', { name: /^two\.json/ })).toBeChecked();
    await expect(page.getByRole('alert')).toHaveCount(1);
    await expect(page.getByRole('alert')).toContainText('broken.json');
    await expectAccessible(page);

    // Each by its name: the one that needs it is read by a mapping of its own.
    const other = page.getByRole('group', { name: 'other.json' });
    await other.getByRole('button', { name: zh ? '按此读取' : 'Read it this way' }).press('Enter');
    await expect(other.getByText(zh ? /5 条可用/ : /5 rows ready/)).toBeFocused();
    await expect(said).toHaveText(
      zh ? '4 个文件：读入 3 个，1 个没能读入。' : '4 files: 3 read, 1 not read.',
    );
    await expect(page.getByRole('radio', { name: /^other\.json/ })).toBeChecked();

    // Dropped, and only one: no list of one.
    const drop = (names: readonly string[]) =>
      data(page)
        .getByRole('group', { name: zh ? /拖到这里/ : /^Drop/ })
        .evaluate(
          (zone, { names, good }) => {
            const dataTransfer = new DataTransfer();
            for (const name of names) dataTransfer.items.add(new File([good], name));
            zone.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true }));
          },
          { names, good },
        );
    await drop(['three.json', 'four.json']);
    await expect(said).toHaveText(zh ? '2 个文件：读入 2 个。' : '2 files: 2 read.');
    await expect(page.getByRole('radio', { name: /^four\.json/ })).toBeChecked();
    await drop(['five.json']);
    await expect(page.getByRole('radio', { name: /^five\.json/ })).toBeChecked();
    await expect(said).toHaveText(zh ? '1 个文件：读入 1 个。' : '1 file: 1 read.');
    await expect(page.getByRole('group', { name: 'five.json' })).toHaveCount(0);

    await drop(Array.from({ length: 101 }, (_, i) => `${i}.json`));
    await expect(page.getByRole('alert')).toContainText(
      zh ? '这里有 101 个文件' : 'These are 101 files',
    );
    await expect(page.getByRole('radio', { name: /^0\.json/ })).toHaveCount(0);
  });

for (const [locale, theme, width] of [
  ['en', 'light', 1280],
  ['zh-CN', 'night', 390],
] as const)
  test(`long prose, in parts or cut: ${locale}, ${theme}, ${width} px`, async ({ page }) => {
    const zh = locale === 'zh-CN';
    await openPage(page, '/train', { locale, theme, width });
    await choose(page, /门诊问答/);
    await page.getByText(zh ? '其余选项' : 'Everything else', { exact: true }).click();
    const split = page.getByRole('checkbox', { name: /split_long_text/ });
    await expect(split).not.toBeChecked();
    await page.locator('#data input[type=file]').setInputFiles({
      ...{ name: 'prose.txt', mimeType: 'text/plain', buffer: Buffer.from('one\n\ntwo') },
    });
    await expect(split).toBeChecked();
    const parts = data(page).getByText(
      zh ? /条长文本切成 [\d,]+ 段来学/ : /learned in [\d,]+ parts of/,
    );
    await expect(parts).toBeVisible();
    const whole = zh ? '没有被截断的回答' : 'No answer is cut off';
    await expect(data(page).getByText(whole, { exact: true })).toBeVisible();
    // A text is no answer to a question; a long one scrolls within its row, by keyboard too.
    const rows = data(page).locator('dl');
    await expect(rows.first().getByRole('term')).toHaveText(zh ? '文本' : 'Text');
    const long = rows.getByRole('group', { name: zh ? '第 1 条' : 'Row 1' });
    await long.focus();
    await expect(long).toBeFocused();
    expect(await long.evaluate((box) => box.scrollHeight > box.clientHeight)).toBe(true);
    await expect(rows.getByRole('group')).toHaveCount(1);
    const predicted = page.locator('#run').getByText(zh ? /切成 8 段/ : /learned in 8 parts/);
    await expect(predicted).toBeVisible();
    await page.getByText(zh ? '模型会看到的样子' : 'What the model will see').click();
    await page.getByRole('textbox', { name: zh ? /^最大长度/ : /^Maximum length/ }).fill('8');
    await expect(
      data(page).getByText(zh ? /切成 \d+ 段来学；这里是第一段/ : /this is the first\.$/),
    ).toBeVisible();
    await expectAccessible(page);

    // The other choice is the person's: it stays, and the way back is offered where rows are cut.
    await split.uncheck();
    const cut = finding(page, zh ? /^回答被截断/ : /^Answers cut off/);
    await expect(cut).toBeVisible();
    await expect(parts).toHaveCount(0);
    await expectAccessible(page);
    await choose(page, /门诊问答/);
    await choose(page, /^prose\.txt/);
    await expect(split).not.toBeChecked();
    await cut
      .getByRole('button', { name: zh ? '切成几段来学' : 'Learn them in parts' })
      .press('Enter');
    await expect(split).toBeChecked();
    await expect(cut).toBeHidden();
    await expect(parts).toBeVisible();
  });

for (const [locale, theme, width] of [
  ['en', 'night', 390],
  ['zh-CN', 'light', 1280],
] as const)
  test(`a second round: ${locale}, ${theme}, ${width} px`, async ({ page }) => {
    const zh = locale === 'zh-CN';
    await openPage(page, '/train', { locale, theme, width });
    const history = page.locator('#history');
    await history
      .getByRole('button', {
        name: zh ? /^用新数据继续训练: 医学/ : /^Go on with new data: 医学/,
      })
      .press('Enter');
    const start = page.getByRole('group', { name: zh ? '从哪里开始' : 'Start from' });
    await expect(start).toBeFocused();
    await expect(start).toContainText('LoRA · r 16');
    await expect(page.getByRole('radio', { name: 'DoRA', exact: true })).toHaveCount(0);
    await expect(page.getByRole('textbox', { name: zh ? /^秩/ : /^Rank/ })).toHaveCount(0);
    await expect(
      page.getByRole('textbox', { name: zh ? /^学习率/ : /^Learning rate/ }),
    ).toHaveValue('2e-4');
    await expectAccessible(page);

    // Back to the model, and once more by the form.
    await start.getByRole('button').press('Enter');
    await expect(start).toBeHidden();
    await expect(page.getByRole('radio', { name: 'DoRA', exact: true })).toBeVisible();
    await page.getByLabel(zh ? '从哪里开始' : 'Start from').selectOption({ index: 1 });
    await expect(start).toBeVisible();

    await choose(page, zh ? /医学问答（英文）/ : /Medical questions \(English\)/);
    await page.getByRole('button', { name: zh ? '开始训练' : 'Start training' }).click();
    await expect(page.getByText(zh ? '训练完成' : 'Training is finished')).toBeVisible({
      timeout: 30_000,
    });
    await expectAccessible(page);
    await history.getByRole('button', { name: zh ? /^查看：?.*英文/ : /^Show: Medical/ }).click();
    await expect(
      history.getByText(
        zh ? /^接着“医学问答样例.*第 120 步训练/ : /^Went on from “医学.*step 120$/,
      ),
    ).toBeVisible();
    await page
      .locator('#run')
      .getByRole('button', { name: zh ? '用新数据继续训练' : 'Go on with new data' })
      .click();
    await expect(start).toBeFocused();
    await expect(page.getByRole('radio', { checked: true })).toHaveCount(0);
  });
