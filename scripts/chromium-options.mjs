// How the tests start Chromium: which one, and with a WebGPU that works without a graphics card.
import { findInstalledBrowser } from './find-browser.mjs';

/** `npm test` has looked already and names what it found in CHROMIUM_PATH; a developer's own run looks here. */
const executablePath = findInstalledBrowser();

/** Playwright's `launchOptions`. Without an installed browser Playwright takes its own. */
export const chromiumOptions = {
  executablePath,
  args: [
    '--headless=new',
    '--no-sandbox',
    '--enable-unsafe-webgpu',
    // A container's /dev/shm is often too small for a page of models.
    '--disable-dev-shm-usage',
  ],
};
