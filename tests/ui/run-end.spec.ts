/**
 * Plan: what the page says of a run's end and of its settings, over the scripted engine, in both languages. With the
 * best checkpoint asked for and patience: a pause leads to the newest checkpoint, as its link says; the list marks the
 * best; the early end and what the run ends with are told, in the outcome, the history and the comparison. A plain run
 * says none of it. The best is named where space is told and where it is freed. A run's settings, data, device and figures in its details, and what an older version did not write
 * down left out. A base in four bits is told beside the method, turned off at a press and back, and is in the
 * history and at the adapter.
 */
import { expect, test, type Locator, type Page } from '@playwright/test';
import { expectAccessible } from './expect-accessible';
import { openPage } from './open-page';

const LOOKS = [
  ['en', 'light', 1280],
  ['zh-CN', 'night', 390],
] as const;

const checkpointsOf = (within: Locator) =>
  within.getByRole('listitem').filter({ has: within.page().locator('a[href*="/evaluate"]') });

/** Accuracy and loss of the script fall both; upside down the best is the first checkpoint. */
async function askForBest(page: Page): Promise<void> {
  await page.getByRole('checkbox', { name: /load_best_model_at_end/ }).check();
  await page.getByRole('combobox', { name: /greater_is_better/ }).selectOption('true');
  await page.getByRole('textbox', { name: /early_stopping_patience/ }).fill('4');
}

for (const [locale, theme, width] of LOOKS) {
  const say = (zh: string, en: string) => (locale === 'zh-CN' ? zh : en);
  const start = async (page: Page) =>
    page.getByRole('button', { name: say('开始训练', 'Start training') }).click();
  const choose = async (page: Page) => {
    await page
      .getByRole('radio', { name: say('医学问答（中文）', 'Medical questions (English)') })
      .first()
      .check();
    await page
      .locator('#recipe summary')
      .filter({ hasText: say('其余选项', 'Everything else') })
      .last()
      .click();
  };
  const ownRun = (page: Page) =>
    page
      .locator('#history li')
      .filter({
        hasText: say('医学问答（中文） ·', 'Medical questions (English) ·'),
        has: page.getByRole('checkbox'),
      })
      .first();
  const value = (page: Page, name: string) =>
    page
      .locator('#history dl > div')
      .filter({ has: page.locator('dt').getByText(name, { exact: true }) })
      .locator('dd');

  test(`a run that ends early with its best checkpoint says so: ${locale}`, async ({ page }) => {
    await openPage(page, '/train', { locale, theme, width });
    await choose(page);
    const space = page.getByText(say('最新的之外还留最佳的', 'the best beside the newest'));
    await expect(page.getByText(say('约需', 'of graphics memory')).first()).toBeVisible();
    await expect(space).toHaveCount(0);
    await askForBest(page);
    await expect(space).toBeVisible();
    await start(page);
    const run = page.locator('#run');
    await expect(run.getByText(say('/ 120 步', 'of 120')).first()).toBeVisible();
    await expect(
      run.getByText(
        locale === 'en' ? /^Step (4[1-9]|[5-8]\d) of/ : /^第 (4[1-9]|[5-8]\d) \/ 120 步/,
      ),
    ).toBeVisible();
    await run.getByRole('button', { name: say('暂停', 'Pause') }).click();
    const talk = run.getByRole('link', {
      name: locale === 'en' ? /^Talk to it as of step/ : /^和第 \d+ 步的它对话/,
    });
    await expect(talk).toBeVisible();
    const step = /\d+/.exec(await talk.innerText())![0];
    expect(Number(step)).toBeGreaterThan(40);
    await expect(talk).toHaveAttribute('href', new RegExp(`-step-${step}$`));
    const items = checkpointsOf(run);
    const best = items.filter({ hasText: say('最佳', 'best') });
    await expect(best).toHaveCount(1);
    await expect(best).toContainText(say('第 40 步', 'Step 40'));
    await expect(items.first()).toContainText(say(`第 ${step} 步`, `Step ${step}`));
    await expect(items.first()).toContainText(say('最新', 'newest'));
    await expectAccessible(page);

    await run.getByRole('button', { name: say('继续', 'Continue'), exact: true }).click();
    await expect(
      run.getByText(
        say(
          '在第 100 步提前结束（原定 120 步）：连续 4 次评测都没有变好。',
          'It ended early, at step 100 of 120: no better for 4 evaluations in a row.',
        ),
      ),
    ).toBeVisible();
    await expect(
      run.getByText(
        locale === 'en'
          ? /^It ends with its best checkpoint: step 40, evaluation loss 1\.02\d*\.$/
          : /^最终采用最佳检查点：第 40 步，评测损失 1\.02\d*。$/,
      ),
    ).toBeVisible();
    // Said once, in one sentence, to whoever does not see it.
    await expect(run.getByRole('status').first()).toHaveText(
      locale === 'en'
        ? /^Training ended early, at step 100 of 120, because 4 .* were no better; it took .*, best checkpoint at step 40, evaluation loss 1\.02\d*\.$/
        : /^训练在第 100 步提前结束（原定 120 步），因为连续 4 次评测都没有变好，用时 .*，最佳检查点是第 40 步，评测损失 1\.02\d*。$/,
    );
    await expect(
      run.getByText(say('完成 100 步（原定 120 步），用时', '100 of 120 steps in')),
    ).toBeVisible();
    const onward = run.getByRole('link', { name: say('和它对话', 'Talk to it'), exact: true });
    await expect(onward).toHaveAttribute('href', /-step-40$/);
    await expect(best).toContainText(say('第 40 步', 'Step 40'));
    await expectAccessible(page);

    const history = page.locator('#history');
    const own = ownRun(page);
    await expect(own).toContainText(say('提前完成', 'finished early'));
    await expect(own).toContainText(say('最佳：第 40 步', 'best: step 40'));
    await own.getByRole('button', { name: say('查看', 'Show') }).click();
    await expect(own.getByText(say('最终采用最佳检查点', 'It ends with its best'))).toBeVisible();
    await expect(value(page, 'load_best_model_at_end')).toHaveText('true');
    await expect(value(page, 'early_stopping_patience')).toHaveText('4');
    await expectAccessible(page);
    const compared = [own, history.locator('li').filter({ hasText: '门诊问答 ·' })];
    for (const item of compared)
      await item
        .getByRole('checkbox', { name: say('比较', 'Compare') })
        .first()
        .check();
    const ends = history.getByRole('row', { name: say('最终采用', 'Ends with') });
    await expect(ends.getByRole('cell')).toHaveText([
      say('第 40 步（最佳）', 'step 40 (best)'),
      '–',
    ]);
    await own
      .getByRole('button', { name: say('删除', 'Delete') })
      .first()
      .click();
    await expect(
      page.getByRole('dialog').getByText(say('留下最佳的检查点', 'Keep the best checkpoint')),
    ).toBeVisible();
  });

  test(`a run that was not asked for its best names none: ${locale}`, async ({ page }) => {
    await openPage(page, '/train', { locale, theme, width });
    await choose(page);
    await start(page);
    const run = page.locator('#run');
    await expect(run.getByText(say('训练完成', 'Training is finished'))).toBeVisible();
    const items = checkpointsOf(run);
    await expect(items.first()).toContainText(say('最新', 'newest'));
    await expect(items.filter({ hasText: say('最佳', 'best') })).toHaveCount(0);
    await expect(run.getByText(say('最佳检查点', 'best checkpoint'))).toHaveCount(0);
    await expect(run.getByText(say('提前结束', 'ended early'))).toHaveCount(0);
    await expect(
      run.getByRole('link', { name: say('和它对话', 'Talk to it'), exact: true }),
    ).toHaveAttribute('href', /-step-120$/);
    const own = ownRun(page);
    await expect(own).toContainText(say('已完成', 'finished'));
    await expect(own).not.toContainText(say('最佳', 'best'));
    await expect(own).toContainText('LoRA');
  });

  test(`freeing space says that the best checkpoint stays too: ${locale}`, async ({ page }) => {
    await openPage(page, '/settings', { locale, theme, width });
    await expect(
      page.getByText(
        say(
          '每次训练也留下最新的检查点，要求保留最佳的',
          'its newest checkpoint and the best beside it',
        ),
      ),
    ).toBeVisible();
  });

  test(`a run's details tell its settings, data, device and figures: ${locale}`, async ({
    page,
  }) => {
    await openPage(page, '/train', { locale, theme, width });
    const history = page.locator('#history');
    const show = (name: string) =>
      history.getByRole('button', { name: new RegExp(`^${say('查看', 'Show')}.*${name}`) }).click();
    await show('医学问答样例');
    for (const [zh, en, text] of [
      ['模型', 'Model', 'nano-lm'],
      ['方法', 'Method', 'LoRA · r 16 · alpha 32'],
      ['学习率', 'Learning rate', '2e-4'],
      ['每步条数', 'Rows per step', '16 (4 × 4)'],
      ['轮数', 'Epochs', '3'],
      ['数据', 'Data', say('医学问答（中文） · 120 条', 'Medical questions (Chinese) · 120 rows')],
      ['设备', 'Device', 'Apple M2'],
      ['用时', 'Time taken', say('1 分钟 33 秒', '1 min 33 sec')],
      ['平均速度', 'Mean speed', say('1,420 词元/秒', '1,420 tokens/s')],
      ['显存峰值', 'Most graphics memory', '61 MB'],
      ['最高的词元准确率', 'Best token accuracy', say('90%（第 80 步）', '90% (step 80)')],
    ])
      await expect(value(page, say(zh, en))).toHaveText(text);
    await expect(value(page, say('最低的评测损失', 'Best evaluation loss'))).toContainText('120');
    await expect(value(page, 'lr_scheduler_type')).toHaveCount(0);
    await expectAccessible(page);
    expect(
      await page.evaluate(() => document.documentElement.scrollWidth - innerWidth),
    ).toBeLessThanOrEqual(0);
    await history.getByRole('button', { name: say('收起', 'Hide') }).click();

    // As an older version wrote it: what it lacks is left out.
    await show('门诊问答');
    await expect(value(page, say('学习率', 'Learning rate'))).toHaveText('1e-4');
    await expect(value(page, 'lr_scheduler_type')).toHaveText('cosine');
    for (const name of [say('设备', 'Device'), say('平均速度', 'Mean speed')])
      await expect(value(page, name)).toHaveCount(0);
  });

  test(`a base in four bits is told beside the method: ${locale}`, async ({ page }) => {
    await openPage(page, '/train', { locale, theme, width });
    await choose(page);
    const recipe = page.locator('#recipe');
    const note = recipe.getByText(say('4 位底模上', 'on a 4-bit base'));
    const fourBit = page.getByRole('checkbox', { name: /load_in_4bit/ });
    await expect(note).toHaveCount(0);
    await fourBit.check();
    await expect(note).toHaveText(/^QLoRA/);
    await page.getByRole('radio', { name: 'DoRA', exact: true }).check();
    await expect(note).toHaveText(/^DoRA/);
    await page
      .getByRole('radio', { name: say('全参数微调', 'Full fine-tuning'), exact: true })
      .check();
    await expect(note).toHaveCount(0);
    await page.getByRole('radio', { name: 'LoRA', exact: true }).check();
    await recipe
      .getByRole('button', { name: say('关闭 4 位底模', 'Turn off the 4-bit base') })
      .click();
    await expect(fourBit).not.toBeChecked();
    const undo = recipe.getByRole('button', { name: say('撤销', 'Undo'), exact: true });
    await expect(undo).toBeFocused();
    await expectAccessible(page);
    await undo.click();
    await expect(fourBit).toBeChecked();
    await expect(note).toHaveText(/^QLoRA/);
    await start(page);
    await expect(
      page.locator('#run').getByText(say('训练完成', 'Training is finished')),
    ).toBeVisible();
    await expect(ownRun(page)).toContainText('QLoRA');
    // Control: the runs of before had their base as it is.
    await expect(
      page.locator('#history').getByRole('listitem').filter({ hasText: '门诊问答 ·' }),
    ).not.toContainText('QLoRA');
    // So is the adapter called. The navigation keeps what the scripted engine knows.
    await page
      .getByRole('link', { name: say('模型', 'Models'), exact: true })
      .first()
      .click();
    const adapters = page.locator('#adapters li').filter({ has: page.locator('h3') });
    const own = adapters.filter({
      hasText: say('医学问答（中文） ·', 'Medical questions (English) ·'),
    });
    await expect(own).toContainText(/ · QLoRA · r \d+ · alpha \d+ · /);
    await expect(adapters.filter({ hasText: '门诊问答 ·' })).toContainText(' · LoRA · r 8');
    await expectAccessible(page);
  });
}
