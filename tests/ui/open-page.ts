/** Opens a page of the product in a scenario, a language and a theme. */
import type { Page } from '@playwright/test';
import type { Scenario } from './stand-in/scenario';

export const PATHS = ['/', '/models', '/train', '/chat', '/evaluate', '/settings'] as const;

export interface Look {
  scenario?: Scenario;
  locale?: 'zh-CN' | 'en';
  theme?: 'light' | 'night';
  width?: number;
}

export async function openPage(page: Page, path: string, look: Look = {}): Promise<void> {
  const { scenario = 'ordinary', locale = 'en', theme = 'light', width = 1280 } = look;
  await page.setViewportSize({ width, height: 844 });
  await page
    .context()
    .addCookies([{ name: 'scenario', value: scenario, domain: 'localhost', path: '/' }]);
  await page.addInitScript(
    (saved) => {
      if (!localStorage.getItem('inkstone.settings'))
        localStorage.setItem('inkstone.settings', JSON.stringify(saved));
    },
    { locale, theme },
  );
  await page.goto(path);
  await page.locator('main h1').waitFor();
}
