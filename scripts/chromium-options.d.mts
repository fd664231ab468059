import type { LaunchOptions } from '@playwright/test';

/** Playwright's `launchOptions`: which Chromium, and with a WebGPU that works without a graphics card. */
export const chromiumOptions: LaunchOptions;
