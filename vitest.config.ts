import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { findVulkanDriver } from './scripts/vulkan-driver.mjs';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const driver = findVulkanDriver();

/** Unit and kernel tests on Node; kernels run on Dawn over a software Vulkan driver. */
export default defineConfig({
  resolve: {
    alias: { $lib: path('./src/lib'), $workers: path('./workers'), $models: path('./models') },
  },
  test: {
    include: ['tests/**/*.test.ts'],
    exclude: ['tests/e2e/**', 'node_modules/**'],
    environment: 'node',
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    env: driver ? { VK_DRIVER_FILES: driver } : {},
  },
});
