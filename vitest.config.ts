import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { findVulkanDriver } from './scripts/vulkan-driver.mjs';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const driver = findVulkanDriver();

/** Where nothing is known of earlier runs, vitest takes small files last: this one would then run alone at the end. */
const LONGEST = '/cli/english-sample.test.ts';

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLongest = ({ moduleId }: TestSpecification) => moduleId.endsWith(LONGEST);
    const sorted = await super.sort(files);
    return [...sorted.filter(isLongest), ...sorted.filter((file) => !isLongest(file))];
  }
}

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
    setupFiles: ['./scripts/patient-dawn.mjs'],
    sequence: { sequencer: LongestFirst },
    testTimeout: 120_000,
    hookTimeout: 120_000,
    env: driver ? { VK_DRIVER_FILES: driver } : {},
  },
});
