/**
 * The inference room in Chromium, as the app is built. Plan:
 * - every reference checkpoint: logits of base and adapter over shared GPU buffers and on the CPU are
 *   PyTorch's; asking the base again after the adapter gives the base
 * - prompts below, at and above 32 tokens (where ONNX Runtime's attention was once wrong): both
 *   backends agree in logits and in 12 greedy tokens
 * - decoding with the cache chooses what one pass over everything chooses
 * - adapters swap without a trace; a stop comes through within a token; seeds repeat
 * - refusals by code, with a control; buffers return; no foreign request; no validation error
 */
import { expect, test } from '@playwright/test';
import { run } from './run-scenario';

/** float32 sums in another order over at most four layers; logits are below 10. */
const REFERENCE_TOLERANCE = 1e-3;

const BACKENDS = ['webgpu', 'wasm'] as const;

const CASES = [
  'llama-tied',
  'llama-untied-gqa',
  'llama3-scaling',
  'llama-old-spelling',
  'llama-bias',
  'llama-bf16',
  'llama-f16',
  'mistral-sliding',
  'qwen2',
  'qwen2-untied',
  'qwen3',
];

/** What sets these apart, tables of angles, spelling and storage, is done with before a backend comes. */
const ONE_BACKEND = new Set(['llama3-scaling', 'llama-old-spelling', 'llama-f16', 'qwen2-untied']);

const foreign: string[] = [];

test.beforeEach(async ({ page, baseURL }) => {
  page.context().on('request', (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol.startsWith('http') && origin !== baseURL) foreign.push(request.url());
  });
  await page.goto('/');
});

test.afterEach(() => expect(foreign, 'requests to other hosts').toEqual([]));

// All in one worker on the processor, where loading the runtime takes longer than a model does.
for (const [title, backend, names] of [
  ...CASES.filter((name) => !ONE_BACKEND.has(name)).map(
    (name) => [`${name} on webgpu`, 'webgpu', [name]] as const,
  ),
  [`${CASES.length} checkpoints on wasm`, 'wasm', CASES] as const,
])
  test(`${title}: logits of base and adapter are the reference's`, async ({ page }) => {
    const results = await run(page, 'goldenLogits', names, backend);
    expect(results.map(({ name }) => name)).toEqual(names);
    for (const { name, ...result } of results) {
      console.log(name, backend, result);
      expect.soft(result.base, name).toBeLessThan(REFERENCE_TOLERANCE);
      expect.soft(result.adapter, name).toBeLessThan(REFERENCE_TOLERANCE);
      expect.soft(result.baseAgain, name).toBe(result.base);
      expect.soft(result.errors, name).toEqual([]);
    }
  });

for (const name of ['llama-tied', 'mistral-sliding', 'qwen3'])
  test(`${name}: both backends agree over 21, 33 and 100 tokens and 12 greedy steps`, async ({
    page,
  }) => {
    for (const { length, difference, webgpu, wasm, errors } of await run(
      page,
      'backendsAgree',
      name,
      [21, 33, 100],
    )) {
      console.log(name, length, difference);
      expect(difference, `${length} tokens`).toBeLessThan(REFERENCE_TOLERANCE);
      expect(webgpu, `${length} tokens`).toEqual(wasm);
      expect(errors).toEqual([]);
    }
  });

for (const [title, storage, cases] of [
  [
    'ONNX Runtime and our own forward agree over one copy of the weights',
    'f32',
    [
      { name: 'nano-lm', lengths: [128] },
      ...['llama-untied-gqa', 'mistral-sliding', 'qwen2', 'qwen3'].map((name) => ({
        name,
        lengths: [21, 33, 100],
      })),
    ],
  ],
  ['and over one copy in 4 bits', 'nf4', [{ name: 'nano-lm', lengths: [33] }]],
] as const)
  test(title, async ({ page }) => {
    const results = await run(page, 'ownForwardAgrees', cases, storage);
    expect(results).toHaveLength(cases.flatMap(({ lengths }) => lengths).length);
    for (const { name, length, difference, generated, expected } of results) {
      console.log(name, storage, length, difference);
      expect(difference, `${name}, ${length} tokens`).toBeLessThan(REFERENCE_TOLERANCE);
      expect(generated, `${name}, ${length} tokens`).toEqual(expected);
    }
  });

test('the bundled model: both backends agree over 21, 33 and 128 tokens and 12 greedy steps', async ({
  page,
}) => {
  const results = await run(page, 'backendsAgree', 'nano-lm', [21, 33, 128]);
  for (const { length, difference, webgpu, wasm } of results) {
    console.log('nano-lm', length, difference);
    expect(difference, `${length} tokens`).toBeLessThan(REFERENCE_TOLERANCE);
    expect(webgpu, `${length} tokens`).toEqual(wasm);
  }
});

// Text and sampling are the processor's, whatever computes the logits; a software GPU decodes a token a second.
test('the bundled model answers in whole characters', async ({ page }) => {
  for (const question of ['你好', 'Hello']) {
    const answer = await run(page, 'ask', question, 'wasm');
    console.log(answer.text, answer.newTokens, answer.stoppedBy);
    expect(answer.newTokens).toBeGreaterThan(0);
    expect(answer.pieces.join('')).toBe(answer.text);
    expect(answer.pieces.some((piece) => piece.includes('\uFFFD'))).toBe(false);
  }
});

test('a seed repeats, another differs, a tiny top_p is greedy', async ({ page }) => {
  const { a, b, c, narrow, greedy } = await run(page, 'sampling', 'wasm');
  expect(a).toEqual(b);
  expect(c).not.toEqual(a);
  expect(narrow).toEqual(greedy);
});

for (const backend of BACKENDS) {
  test(`${backend}: the cache changes no choice`, async ({ page }) => {
    for (const name of ['llama-untied-gqa', 'mistral-sliding', 'qwen3']) {
      const { generated, expected } = await run(page, 'cacheAgrees', name, backend);
      expect(generated, name).toEqual(expected);
    }
  });

  test(`${backend}: base and two adapters in turn, each the same every time`, async ({ page }) => {
    const { repeats, apart } = await run(page, 'swapAdapters', 'llama-untied-gqa', backend);
    expect(repeats).toEqual({ base: 0, first: 0, second: 0 });
    expect(apart).toBeGreaterThan(0.01);
  });

  test(`${backend}: a stop comes through within a token and the session goes on`, async ({
    page,
  }) => {
    const result = await run(page, 'stop', backend, 5);
    expect(result.stoppedBy).toBe('signal');
    expect(result.newTokens).toBeLessThan(10);
    expect(result.tokensAfterAbort).toBeLessThanOrEqual(1);
    expect(result.again).toBe(3);
    expect(result.aborted).toBe('signal');
  });

  test(`${backend}: refuses by code and works after it`, async ({ page }) => {
    expect(await run(page, 'refusals', backend)).toEqual({
      tooLong: 'prompt-too-long',
      foreignId: 'bad-prompt',
      empty: 'bad-prompt',
      option: 'bad-option',
      missingFactor: 'bad-adapter',
      foreignFactor: 'bad-adapter',
      control: 'no error',
      fills: 8,
      disposed: 'disposed',
    });
  });
}

for (const { kind, backend, build, threads } of [
  { kind: 'as-it-is', backend: 'webgpu', build: 'jspi', threads: undefined },
  { kind: 'as-it-is', backend: 'wasm', build: 'jspi', threads: undefined },
  { kind: 'no-webgpu', backend: 'wasm', build: 'plain', threads: undefined },
  { kind: 'no-jspi', backend: 'webgpu', build: 'asyncify', threads: undefined },
  { kind: 'no-jspi', backend: 'wasm', build: 'plain', threads: undefined },
  { kind: 'many-cores', backend: 'wasm', build: 'jspi', threads: 4 },
  { kind: 'many-cores', backend: 'webgpu', build: 'jspi', threads: 4 },
])
  test(`the ${build} build serves ${backend}, ${kind}`, async ({ page }) => {
    const result = await run(page, 'runtimeBuild', kind, backend);
    expect(result.build).toBe(build);
    if (threads) expect(result.threads).toBe(threads);
    expect(result.base).toBeLessThan(REFERENCE_TOLERANCE);
    expect(result.adapter).toBeLessThan(REFERENCE_TOLERANCE);
    expect(result.errors).toEqual([]);
  });

for (const { dtype, backend, tolerance } of [
  { dtype: 'fp32', backend: 'webgpu', tolerance: REFERENCE_TOLERANCE },
  { dtype: 'fp32', backend: 'wasm', tolerance: REFERENCE_TOLERANCE },
  // Half precision, logits below 10. WebGPU needs shader-f16, which a software GPU has not.
  { dtype: 'fp16', backend: 'wasm', tolerance: 5e-2 },
  { dtype: 'q4', backend: 'webgpu', tolerance: REFERENCE_TOLERANCE },
  { dtype: 'q4', backend: 'wasm', tolerance: REFERENCE_TOLERANCE },
])
  test(`an exported ${dtype} folder runs in transformers.js on ${backend}`, async ({ page }) => {
    for (const name of ['llama-untied-gqa', dtype === 'q4' ? 'qwen2-untied' : 'qwen3']) {
      const { difference, length } = await run(page, 'exportedFolder', name, dtype, backend);
      console.log(name, dtype, backend, difference);
      expect(difference, name).toBeLessThan(tolerance);
      expect(length).toBe(3 + 8);
    }
  });

test('GPU buffers return to the baseline after each of three sessions', async ({ page }) => {
  const { baseline, lives, errors } = await run(page, 'buffersReturn', 3);
  console.log(baseline, lives);
  for (const { after } of lives) expect(after).toBe(baseline);
  expect(errors).toEqual([]);
});
