// A Vitest reporter beside the JSON one, which leaves out why a test was skipped: `context.skip(reason)`.
import { writeFileSync } from 'node:fs';

export default class SkipReporter {
  onTestRunEnd(modules) {
    const skips = modules.flatMap((module) =>
      [...module.children.allTests('skipped')].map((test) => ({
        name: `${module.relativeModuleId} > ${test.fullName}`,
        reason: test.result().note ?? '',
      })),
    );
    if (process.env.INKSTONE_SKIPS_FILE)
      writeFileSync(process.env.INKSTONE_SKIPS_FILE, JSON.stringify(skips));
  }
}
