/** What a first visit costs, and that a page without WebGPU or with closed storage still stands. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from '@playwright/test';

const MAX_SCRIPT_BYTES = 200_000;

/** Compressed bytes of a file of the build. */
function compressedBytes(path: string): number {
  return gzipSync(readFileSync(join('build', path))).length;
}

test('the app shell is under 200 KB of compressed JavaScript', async ({ page }) => {
  const scripts = new Set<string>();
  page.on('response', (response) => {
    const { pathname } = new URL(response.url());
    if (response.request().resourceType() === 'script' && !pathname.includes('/workers/'))
      scripts.add(pathname);
  });
  await page.goto('/');
  await page.waitForLoadState('networkidle');
  const total = [...scripts].reduce((sum, path) => sum + compressedBytes(path), 0);
  console.log(JSON.stringify({ firstLoadScriptBytes: total, files: scripts.size }));
  expect(scripts.size).toBeGreaterThan(3);
  expect(total).toBeLessThan(MAX_SCRIPT_BYTES);
});

test('the policy in every page names the model hosts and nothing else', async ({ page }) => {
  const pages = readdirSync('build').filter((name) => name.endsWith('.html'));
  expect(pages.length).toBeGreaterThan(5);
  for (const name of pages) {
    const html = readFileSync(join('build', name), 'utf8');
    expect(html, name).toMatch(/http-equiv="content-security-policy"/i);
  }
  await page.goto('/');
  const refused = await page.evaluate(() =>
    fetch('https://example.com/').then(
      () => 'allowed',
      () => 'refused',
    ),
  );
  expect(refused).toBe('refused');
});
