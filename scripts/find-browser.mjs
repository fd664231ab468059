// Finds a Chromium for the tests in a browser: one that the person names, one that is installed, or the
// one that Playwright keeps; and installs one where there is none.
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { aptInstall, canUseApt } from './apt.mjs';
import { runPackage } from './run-process.mjs';

const NAMED_BY = ['CHROMIUM_PATH', 'CHROME_PATH', 'CHROME_BIN'];
const COMMANDS = [
  'chromium',
  'google-chrome-stable',
  'google-chrome',
  'chromium-browser',
  'chrome',
];
const PLACES = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
  'C:\\Program Files (x86)\\Google\\Chrome\\Application\\chrome.exe',
];

/** @returns {string | undefined} path of an installed Chromium or Chrome, Playwright's own left aside */
export function findInstalledBrowser() {
  const named = NAMED_BY.map((name) => process.env[name]).find((path) => path && existsSync(path));
  if (named) return named;
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  const onPath = COMMANDS.flatMap((command) => folders.map((folder) => join(folder, command)));
  return [...onPath, ...PLACES].find((path) => existsSync(path));
}

async function findPlaywrightBrowser() {
  const { chromium } = await import('playwright');
  const path = chromium.executablePath();
  return existsSync(path) ? path : undefined;
}

/** @returns {Promise<string | undefined>} undefined when none can be had; the reason is on the screen */
export async function ensureBrowser() {
  const found = findInstalledBrowser() ?? (await findPlaywrightBrowser());
  if (found) return found;
  console.log("Installing Playwright's Chromium ...");
  const fromPlaywright = await runPackage('playwright/cli.js', ['install', 'chromium'], {
    quiet: true,
    timeoutMs: 300_000,
  });
  if (fromPlaywright) return findPlaywrightBrowser();
  if (canUseApt()) {
    console.log('That failed. Installing chromium from the Debian archive ...');
    if (await aptInstall(['chromium', 'fonts-noto-cjk'])) return findInstalledBrowser();
  }
  console.error(
    'No Chromium was found and none could be installed. Install Chromium or Chrome, or name one in CHROMIUM_PATH.',
  );
  return undefined;
}
