/** The bench: ours against each peer on one adapter in one run. scripts/bench.mjs starts it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { Gpu } from '$lib/gpu';
import { chooseMatmulVariants } from '$lib/kernels/matmul-choose';
import { loraProblem, type Contender } from './contender';
import { measureLora, measureMatmul } from './measure';
import { openOurs } from './ours';
import { formatTable, recordsOf, type BenchRecord } from './report';

export interface BenchOptions {
  /** Dawn's entry, which the peers find as `navigator.gpu`. */
  entry: GPU;
  /** Each opens one peer; one that cannot be opened is named and left out. */
  peers: readonly (() => Promise<Contender>)[];
  /** `config.json` of the model whose shape is trained. */
  configFile: string;
  resultsFile: string;
  /** Appends the table to this file under this remark. */
  log?: { file: string; remark: string };
}

const SIZES: readonly (readonly [number, number, number])[] = [
  [512, 512, 512],
  [1024, 576, 1536],
];

/** @returns the exit code */
export async function main(options: BenchOptions): Promise<number> {
  const say = (line: string) => console.log(line);
  const gpu = await Gpu.request(options.entry);
  const variant = await chooseMatmulVariants(gpu);
  say(`Adapter: ${gpu.adapterName}. Our matrix kernel: ${variant}.`);
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
  const records: BenchRecord[] = [];
  const keep = (found: readonly BenchRecord[]) => {
    records.push(...found);
    for (const { metric, ours, peer, theirs, ratio } of found)
      say(`  ${metric}: ours ${ours}, ${peer} ${theirs}, ratio ${ratio}`);
  };

  for (const size of SIZES) {
    const name = `matmul/${size.join('x')}`;
    say(name);
    const figures = await measureMatmul(contenders, size);
    keep(recordsOf(name, 'GFLOP/s', pick(figures, 'gflops'), where));
  }
  say('lora-step/nano-lm (the peers compile for minutes on a software GPU)');
  const problem = await loraProblem(readFileSync(options.configFile, 'utf8'));
  const figures = await measureLora(contenders, problem, say);
  keep(recordsOf('lora-step/nano-lm', 'tokens/s', pick(figures, 'tokensPerSecond'), where));
  keep(recordsOf('lora-step/nano-lm', 'compile s', pick(figures, 'compileSeconds'), where));

  const table = formatTable(records);
  say(`\n${table}`);
  writeFileSync(options.resultsFile, `${JSON.stringify(records, undefined, 2)}\n`);
  if (options.log) {
    const { file, remark } = options.log;
    const entry = `## ${where.date.slice(0, 10)}: ${remark}\n\n${where.adapter}\n\n${table}\n`;
    writeFileSync(file, `${readFileSync(file, 'utf8').trimEnd()}\n\n${entry}`);
  }
  return missing === 0 ? 0 : 1;
}

function pick<Figures>(
  figures: ReadonlyMap<string, Figures>,
  key: { [K in keyof Figures]: Figures[K] extends number ? K : never }[keyof Figures],
): Map<string, number> {
  return new Map([...figures].map(([name, values]) => [name, values[key] as number]));
}
