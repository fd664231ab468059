// Reads what Vitest and Playwright report into one form: how many passed and failed, and each skip with
// its reason. A report that is missing or broken counts as one failure.
import { existsSync, readFileSync } from 'node:fs';

/** @typedef {{passed: number, failed: string[], skipped: {name: string, reason: string}[]}} Results */

/** @returns {Results} */
export const noResults = () => ({ passed: 0, failed: [], skipped: [] });

const readJson = (file) => (existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined);

/** @returns {Results} */
export function readVitestResults(reportFile, skipsFile) {
  const results = noResults();
  const report = readJson(reportFile);
  if (!report) return { ...results, failed: ['vitest wrote no report'] };
  const skipped = new Set(['pending', 'skipped', 'todo', 'disabled']);
  for (const file of report.testResults) {
    for (const { status, fullName } of file.assertionResults) {
      if (status === 'passed') results.passed++;
      else if (!skipped.has(status)) results.failed.push(`${relative(file.name)} > ${fullName}`);
    }
    // A file that could not be loaded, or whose hooks failed, has no failed test to count.
    const hasFailedTest = file.assertionResults.some(({ status }) => status === 'failed');
    if (file.status === 'failed' && !hasFailedTest)
      results.failed.push(`${relative(file.name)} (${firstLine(file.message) || 'did not run'})`);
  }
  const skips = readJson(skipsFile);
  const skipCount = report.numPendingTests + report.numTodoTests;
  results.skipped = skips ?? Array.from({ length: skipCount }, () => ({ name: '?', reason: '' }));
  if (!report.success && results.failed.length === 0)
    results.failed.push('vitest (an error outside of any test)');
  return results;
}

/** @returns {Results} */
export function readPlaywrightResults(reportFile) {
  const results = noResults();
  const report = readJson(reportFile);
  if (!report) return { ...results, failed: ['playwright wrote no report'] };
  for (const error of report.errors ?? [])
    results.failed.push(`playwright: ${firstLine(error.message)}`);
  const visit = (suite, path) => {
    for (const child of suite.suites ?? []) visit(child, [...path, child.title]);
    for (const spec of suite.specs ?? [])
      for (const test of spec.tests) {
        const name = [...path, spec.title].join(' > ');
        if (test.status === 'skipped') {
          const note = test.annotations.find(({ type }) => type === 'skip' || type === 'fixme');
          const reason = note ? (note.description ?? '') : 'not run after an earlier failure';
          results.skipped.push({ name, reason });
        } else if (test.status === 'unexpected') results.failed.push(name);
        else results.passed++;
      }
  };
  for (const suite of report.suites) visit(suite, [suite.title]);
  return results;
}

const relative = (file) => file.replace(/^.*?[\\/](?=tests[\\/])/, '');
// eslint-disable-next-line no-control-regex -- the colours of a terminal
const firstLine = (text = '') => text.replace(/\u001b\[[0-9;]*m/g, '').split('\n')[0];
