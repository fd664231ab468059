/** What the browser tests ask of the inference room, each from a fresh worker. */
import { loadRuntime, type Backend, type GenerateResult } from '../../../src/lib/inference';
import { indexOfLargest } from '../../../src/lib/inference/sampler';
import { Gpu } from '../../../src/lib/gpu';
import { exportFolder, type ExportDtype } from '../../../src/lib/onnx-export';
import { dequantizeQ4, quantizeQ4 } from '../../../src/lib/onnx-export/quantize-q4';
import { goldenRows, openGolden, openGoldenAdapter, randomNano, type TestModel } from './models';
import { GREEDY, idsOfLength, openModel, worst } from './comparison';
import { ownForwardAgrees } from './own-forward';
import { damageScenarios } from './damage-scenarios';
import { engineScenarios } from './engine-scenarios';
import { methodScenarios } from './method-scenarios';
import { openGpu, openSession } from './sessions';

/** Largest difference from PyTorch's logits, of each base and adapter, over the golden rows. */
async function goldenLogits(names: readonly string[], backend: Backend) {
  const results = [];
  for (const name of names) {
    const open = await openSession(await openGolden(name), backend);
    const adapter = open.adapter(await openGoldenAdapter(name));
    const result = { name, base: 0, adapter: 0, baseAgain: 0, lengths: [] as number[] };
    for (const { ids, logits, adapterLogits } of await goldenRows(name)) {
      const { session } = open;
      result.base = Math.max(result.base, worst(await session.logits(ids), logits));
      result.adapter = Math.max(
        result.adapter,
        worst(await session.logits(ids, adapter), adapterLogits),
      );
      result.baseAgain = Math.max(result.baseAgain, worst(await session.logits(ids), logits));
      result.lengths.push(ids.length);
    }
    results.push({ ...result, errors: open.gpu?.errors ?? [] });
    await open.dispose();
  }
  return results;
}

/** Logits and greedy tokens on both backends over prompts of these lengths. */
async function backendsAgree(name: string, lengths: readonly number[]) {
  const opened = await openModel(name);
  const runs = { webgpu: [], wasm: [] } as Record<
    Backend,
    { logits: Float32Array; tokens: readonly number[] }[]
  >;
  let errors: readonly string[] = [];
  for (const backend of ['webgpu', 'wasm'] as const) {
    const open = await openSession(opened, backend);
    for (const length of lengths) {
      const promptIds = idsOfLength(length, opened.config.vocabSize);
      const logits = await open.session.logits(promptIds);
      const { ids } = await open.session.generate({ promptIds, generation: GREEDY });
      runs[backend].push({ logits, tokens: ids });
    }
    errors = open.gpu?.errors ?? errors;
    await open.dispose();
  }
  return lengths.map((length, i) => ({
    length,
    difference: worst(runs.webgpu[i].logits, runs.wasm[i].logits),
    webgpu: runs.webgpu[i].tokens,
    wasm: runs.wasm[i].tokens,
    errors,
  }));
}

/** Decoding with the cache against one forward pass over everything. */
async function cacheAgrees(name: string, backend: Backend) {
  const opened = await openModel(name);
  const open = await openSession(opened, backend);
  const { vocabSize } = opened.config;
  const promptIds = idsOfLength(17, vocabSize);
  const { ids } = await open.session.generate({ promptIds, generation: GREEDY });
  const logits = await open.session.logits([...promptIds, ...ids]);
  const expected = ids.map((_, i) => {
    const at = (promptIds.length + i - 1) * vocabSize;
    return indexOfLargest(logits.subarray(at, at + vocabSize));
  });
  await open.dispose();
  return { generated: ids, expected };
}

/** Base, adapter, halved adapter, base: each must give again what it gave before. */
async function swapAdapters(name: string, backend: Backend) {
  const open = await openSession(await openGolden(name), backend);
  const trained = await openGoldenAdapter(name);
  const first = open.adapter(trained);
  const second = open.adapter({ ...trained, scale: trained.scale / 2 });
  const [{ ids }] = await goldenRows(name);
  const seen: Record<string, Float32Array> = {};
  const repeats: Record<string, number> = {};
  for (let round = 0; round < 3; round++)
    for (const [key, adapter] of [
      ['base', undefined],
      ['first', first],
      ['second', second],
    ] as const) {
      const logits = await open.session.logits(ids, adapter);
      repeats[key] = Math.max(repeats[key] ?? 0, worst(logits, (seen[key] ??= logits)));
    }
  await open.dispose();
  return {
    repeats,
    apart: Math.min(
      worst(seen.base, seen.first),
      worst(seen.base, seen.second),
      worst(seen.first, seen.second),
    ),
  };
}

/** The signal is aborted from a timer, as a message from the page would, once `after` pieces came. */
async function stop(backend: Backend, after: number) {
  const open = await openSession(randomNano(), backend);
  const controller = new AbortController();
  let pieces = 0;
  let piecesAtAbort = 0;
  const result = await open.session.generate({
    promptIds: idsOfLength(9, 5120),
    generation: { ...GREEDY, max_new_tokens: 200 },
    signal: controller.signal,
    onText: () => {
      if (++pieces !== after) return;
      setTimeout(() => {
        piecesAtAbort = pieces;
        controller.abort();
      }, 0);
    },
  });
  const again = await open.session.generate({
    promptIds: idsOfLength(9, 5120),
    generation: { ...GREEDY, max_new_tokens: 3 },
  });
  const aborted = await open.session.generate({
    promptIds: idsOfLength(9, 5120),
    generation: GREEDY,
    signal: AbortSignal.abort(),
  });
  await open.dispose();
  return {
    stoppedBy: result.stoppedBy,
    newTokens: result.newTokens,
    tokensAfterAbort: pieces - piecesAtAbort,
    again: again.newTokens,
    aborted: aborted.stoppedBy,
  };
}

/** Buffers alive on the device before, while and after sessions lived, over some cycles. */
async function buffersReturn(cycles: number) {
  const opened = await openGolden('llama-tied');
  const trained = await openGoldenAdapter('llama-tied');
  const onGpu = await openGpu(opened);
  const adapter = onGpu.place(trained);
  const baseline = onGpu.live();
  const lives: { during: number; after: number }[] = [];
  for (let cycle = 0; cycle < cycles; cycle++) {
    const session = await onGpu.createSession();
    await session.generate({ promptIds: idsOfLength(40, 97), generation: GREEDY });
    await session.generate({
      promptIds: idsOfLength(40, 97),
      generation: GREEDY,
      adapter,
    });
    const during = onGpu.live();
    await session.dispose();
    lives.push({ during, after: onGpu.live() });
  }
  return { baseline, lives, errors: onGpu.errors };
}

/** Same seed, same tokens; another seed, others; each piece of text whole. */
async function sampling(backend: Backend) {
  const open = await openSession(randomNano(), backend);
  const run = (seed: number, top_p = 0.9) =>
    open.session.generate({
      promptIds: idsOfLength(5, 5120),
      generation: { ...GREEDY, max_new_tokens: 8, temperature: 1, top_p, top_k: 50, seed },
    });
  const [a, b, c] = [await run(1), await run(1), await run(2)];
  const narrow = await run(3, 1e-9);
  const greedy = await open.session.generate({
    promptIds: idsOfLength(5, 5120),
    generation: { ...GREEDY, max_new_tokens: 8 },
  });
  await open.dispose();
  return { a: a.ids, b: b.ids, c: c.ids, narrow: narrow.ids, greedy: greedy.ids };
}

/** Refusals, by code, and that the session still works after them. */
async function refusals(backend: Backend) {
  const open = await openSession(await openGolden('llama-tied'), backend);
  const trained = open.adapter(await openGoldenAdapter('llama-tied'));
  const codeOf = (work: Promise<unknown>) =>
    work.then(
      () => 'no error',
      (error: { code?: string; message: string }) => error.code ?? error.message,
    );
  const ask = (request: Partial<Parameters<typeof open.session.generate>[0]>) =>
    codeOf(open.session.generate({ promptIds: [5, 6], generation: GREEDY, ...request }));
  const codes = {
    tooLong: await ask({ promptIds: idsOfLength(128, 97) }),
    foreignId: await ask({ promptIds: [5, 97] }),
    empty: await ask({ promptIds: [] }),
    option: await ask({ generation: { ...GREEDY, top_p: 0 } }),
    missingFactor: await ask({
      adapter: {
        ...trained,
        targets: new Set([...trained.targets, 'model.layers.0.self_attn.o_proj']),
      },
    }),
    foreignFactor: await ask({
      adapter: { ...trained, targets: new Set(['model.layers.0.self_attn.q_proj']) },
    }),
    control: await ask({ adapter: trained }),
    fills: (
      await open.session.generate({
        promptIds: idsOfLength(120, 97),
        generation: { ...GREEDY, max_new_tokens: 100 },
      })
    ).newTokens,
  };
  await open.dispose();
  return { ...codes, disposed: await ask({}) };
}

interface Speed {
  readonly createMs: number;
  readonly runs: Pick<GenerateResult, 'firstTokenMs' | 'tokensPerSecond' | 'newTokens'>[];
}

/** Three answers of 32 tokens to a prompt of 64; the first warms up. */
async function speed(name: string, backend: Backend): Promise<Speed> {
  const opened = await openModel(name);
  const begin = performance.now();
  const open = await openSession(opened, backend);
  const createMs = performance.now() - begin;
  const runs: Speed['runs'] = [];
  for (let i = 0; i < 3; i++) {
    const { firstTokenMs, tokensPerSecond, newTokens } = await open.session.generate({
      promptIds: idsOfLength(64, opened.config.vocabSize),
      generation: { ...GREEDY, max_new_tokens: 32 },
    });
    runs.push({ firstTokenMs, tokensPerSecond, newTokens });
  }
  await open.dispose();
  return { createMs, runs };
}

/** An answer of the bundled model to a real question. */
async function ask(question: string, backend: Backend) {
  const open = await openSession(await openModel('nano-lm'), backend);
  const pieces: string[] = [];
  const result = await open.session.generate({
    messages: [{ role: 'user', content: question }],
    generation: { ...GREEDY, max_new_tokens: 24 },
    onText: (text) => pieces.push(text),
  });
  await open.dispose();
  return { ...result, pieces };
}

/** What the runtime becomes where the browser has no WebGPU, cannot suspend wasm, or has many cores. */
async function runtimeBuild(
  kind: 'as-it-is' | 'no-webgpu' | 'no-jspi' | 'many-cores',
  backend: Backend,
) {
  if (kind === 'no-webgpu')
    Reflect.deleteProperty(Object.getPrototypeOf(navigator) as object, 'gpu');
  if (kind === 'no-jspi') Reflect.deleteProperty(WebAssembly, 'Suspending');
  if (kind === 'many-cores')
    Object.defineProperty(navigator, 'hardwareConcurrency', { value: 8, configurable: true });
  const { build, ort } = await loadRuntime(backend);
  const [{ base, adapter, errors }] = await goldenLogits(['llama-tied'], backend);
  return { build, threads: ort.env.wasm.numThreads, base, adapter, errors };
}

/** What 4-bit weights stand for, so that a runtime's reading of them can be held to float32 logits. */
function throughQ4(model: TestModel): TestModel {
  const weights = new Map(model.weights);
  for (const [name, { shape, data }] of model.weights) {
    if (!/(_proj|lm_head)\.weight$/.test(name)) continue;
    const [rows, columns] = shape;
    weights.set(name, { shape, data: dequantizeQ4(quantizeQ4(data, rows, columns), columns) });
  }
  return { ...model, weights };
}

/**
 * An exported folder through transformers.js's own from_pretrained, against PyTorch's logits, or for
 * q4 against those of the rounded weights in float32. Untied models only for q4: a tied head is
 * rounded where the embedding is not.
 */
async function exportedFolder(name: string, dtype: ExportDtype, backend: Backend) {
  const golden = await openGolden(name);
  const { config, rawConfig, generationConfig, weights } = golden;
  const asItIs = new Map([
    ['generation_config.json', new TextEncoder().encode(JSON.stringify(generationConfig))],
  ]);
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  const source = async (weight: string) => weights.get(weight)!.data;
  for await (const part of exportFolder({ config, rawConfig, source, dtype, files: asItIs })) {
    const whole = new Uint8Array(part.sizeBytes);
    let at = 0;
    for await (const chunk of part.bytes) {
      whole.set(chunk, at);
      at += chunk.byteLength;
    }
    files.set(part.name, whole);
  }
  const { transformers } = await loadRuntime('webgpu');
  transformers.env.useCustomCache = true;
  transformers.env.customCache = {
    match: async (key: string) => {
      const file = files.get(key.split('/exported/')[1]);
      return file && new Response(file);
    },
    put: async () => undefined,
  };
  const model = await transformers.AutoModelForCausalLM.from_pretrained('exported', {
    device: backend,
    dtype,
    // Our device: the runtime's own asks for subgroups, with which attention is wrong on a software GPU.
    session_options:
      backend === 'webgpu'
        ? {
            executionProviders: [
              { name: 'webgpu', device: (await Gpu.request(navigator.gpu)).device },
            ],
          }
        : {},
  });
  const rounded = dtype === 'q4' ? await openSession(throughQ4(golden), 'wasm') : undefined;
  let difference = 0;
  for (const { ids, logits: published } of await goldenRows(name)) {
    const logits = (await rounded?.session.logits(ids)) ?? published;
    const shape = [1, ids.length];
    const outputs = (await model({
      input_ids: new transformers.Tensor('int64', BigInt64Array.from(ids, BigInt), shape),
      attention_mask: new transformers.Tensor(
        'int64',
        new BigInt64Array(ids.length).fill(1n),
        shape,
      ),
    })) as { logits: { data: Float32Array } };
    difference = Math.max(difference, worst(outputs.logits.data, logits));
  }
  const prompt = [5, 6, 7];
  const generated = (await model.generate({
    inputs: new transformers.Tensor('int64', BigInt64Array.from(prompt, BigInt), [1, 3]),
    max_new_tokens: 8,
    eos_token_id: null,
  } as unknown as Parameters<typeof model.generate>[0])) as { dims: number[] };
  await model.dispose();
  await rounded?.dispose();
  return { difference, length: generated.dims[1] };
}

export const scenarios = {
  ...damageScenarios,
  ...engineScenarios,
  ...methodScenarios,
  ownForwardAgrees,
  runtimeBuild,
  exportedFolder,
  goldenLogits,
  backendsAgree,
  cacheAgrees,
  swapAdapters,
  stop,
  buffersReturn,
  sampling,
  refusals,
  speed,
  ask,
};

export type ScenarioName = keyof typeof scenarios;
export type ScenarioResult<N extends ScenarioName> = Awaited<ReturnType<(typeof scenarios)[N]>>;
