/** Runs a scenario of the harness in a worker of the page. */
import type { Page } from '@playwright/test';
import type { ScenarioName, ScenarioResult } from './harness/scenarios';
import type {} from './harness/page';

export function run<N extends ScenarioName>(
  page: Page,
  name: N,
  ...args: readonly unknown[]
): Promise<ScenarioResult<N>> {
  return page.evaluate(([name, args]) => window.runScenario(name as never, ...args), [
    name,
    args,
  ] as const) as Promise<ScenarioResult<N>>;
}
