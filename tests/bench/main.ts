/** The bench: ours against each peer on one adapter in one run. scripts/bench.mjs starts it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { Gpu } from '$lib/gpu';
import { chooseAttentionVariant } from '$lib/kernels/attention-choose';
import { chooseMatmulVariants } from '$lib/kernels/matmul-choose';
import { Bench } from './bench';
import type { Contender } from './contender';
import { GpuWatch } from './gpu-watch';
import { benchHalf } from './half';
import { openOurs } from './ours';
import { openPeak } from './peak';
import { formatTable } from './report';
import {
  benchAttention,
  benchLora,
  benchMemory,
  benchProducts,
  benchTime,
  type BenchedModel,
} from './rows';
import { checkTargets, describeTargets } from './targets';

export interface BenchOptions {
  /** Dawn's entry, which the peers find as `navigator.gpu`. */
  entry: GPU;
  /** Each opens one peer; one that cannot be opened is named and left out. */
  peers: readonly (() => Promise<Contender>)[];
  /** `config.json` of the models whose shapes are trained. */
  configFiles: { readonly nano: string; readonly smollm2: string };
  resultsFile: string;
  /** Measures only what has a name that begins so, and writes nothing. */
  only?: string;
  /** Fails where a row falls short of its target, or none has one. */
  check?: boolean;
  /** Appends the table to this file under this remark. */
  log?: { file: string; remark: string };
}

/** What a run of SmolLM2-135M at batch 4 x 512, rank 16 on all linear layers, is to stay under. */
const LIMIT_BYTES = 1.2e9;

/** @returns the exit code */
export async function main(options: BenchOptions): Promise<number> {
  const say = (line: string) => console.log(line);
  const watch = GpuWatch.open();
  const gpu = await Gpu.request(options.entry);
  const variants = Object.entries(await chooseMatmulVariants(gpu));
  say(`Adapter: ${gpu.adapterName}.`);
  say(`Our matrix kernels: ${variants.map(([form, name]) => `${form} ${name}`).join(', ')}.`);
  say(`Our attention: ${await chooseAttentionVariant(gpu)}.`);
  const contenders = [openOurs(gpu)];
  let missing = 0;
  for (const open of options.peers) {
    try {
      contenders.push(await open());
    } catch (error) {
      missing++;
      say(`A peer could not be opened: ${(error as Error).message}`);
    }
  }
  const where = { adapter: gpu.adapterName, date: new Date().toISOString() };
  const bench = new Bench(gpu, watch, contenders, await openPeak(gpu), where, options.only);
  const { nano, smollm2 } = options.configFiles;
  const nanoStep: BenchedModel = {
    name: 'nano-lm',
    configFile: nano,
    batch: { B: 4, T: 64 },
    effort: { compared: 4, rounds: 4, steps: 5 },
  };
  await benchHalf(bench, nanoStep);
  await benchProducts(bench);
  await benchAttention(bench);
  await benchMemory(bench, {
    name: 'nano-lm-4x64',
    configFile: nano,
    batch: { B: 4, T: 64 },
    storages: ['f32'],
  });
  await benchMemory(bench, {
    name: 'smollm2-135m-4x512-r16-all-linear-checkpointing',
    configFile: smollm2,
    batch: { B: 4, T: 512 },
    checkpointedRank: 16,
    storages: ['f32', 'stored'],
    limitBytes: LIMIT_BYTES,
  });
  await benchTime(bench, nano);
  await benchLora(bench, nanoStep);
  await benchLora(bench, {
    name: 'smollm2-135m',
    configFile: smollm2,
    batch: { B: 1, T: 64 },
    effort: { compared: 2, rounds: 2, steps: 1, alone: true },
  });

  const { records } = bench;
  const table = formatTable(records);
  say(`\n${table}`);
  const targets = checkTargets(records);
  say(describeTargets(targets));
  const isShort = targets.short.length > 0 || targets.checked === 0;
  const exitCode = missing > 0 || (options.check && isShort) ? 1 : 0;
  if (options.only !== undefined) return exitCode;
  writeFileSync(options.resultsFile, `${JSON.stringify(records, undefined, 2)}\n`);
  if (options.log) {
    const { file, remark } = options.log;
    const entry = `## ${where.date.slice(0, 10)}: ${remark}\n\n${where.adapter}\n\n${table}\n`;
    writeFileSync(file, `${readFileSync(file, 'utf8').trimEnd()}\n\n${entry}`);
  }
  return exitCode;
}
