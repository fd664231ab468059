/** The bench: ours against each peer on one adapter in one run. scripts/bench.mjs starts it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { Gpu } from '$lib/gpu';
import { chooseMatmulVariants } from '$lib/kernels/matmul-choose';
import { loraProblem, type Contender } from './contender';
import { measureLora, measureRates, openMatmuls, type Rates } from './measure';
import { openOurs } from './ours';
import { openPeak } from './peak';
import { FORMS, LORA_PRODUCTS, openProduct, SIZES } from './products';
import { formatTable, recordsOf, type BenchRecord } from './report';

export interface BenchOptions {
  /** Dawn's entry, which the peers find as `navigator.gpu`. */
  entry: GPU;
  /** Each opens one peer; one that cannot be opened is named and left out. */
  peers: readonly (() => Promise<Contender>)[];
  /** `config.json` of the model whose shape is trained. */
  configFile: string;
  resultsFile: string;
  /** Measures only what has a name that begins so, and writes nothing. */
  only?: string;
  /** Appends the table to this file under this remark. */
  log?: { file: string; remark: string };
}

/** Said of a metric that is by processor time: see measure.ts. */
const PROCESSOR = ' of processor time';
const LORA_STEP = 'lora-step/nano-lm';

/** @returns the exit code */
export async function main(options: BenchOptions): Promise<number> {
  const say = (line: string) => console.log(line);
  const gpu = await Gpu.request(options.entry);
  const variants = Object.entries(await chooseMatmulVariants(gpu));
  say(`Adapter: ${gpu.adapterName}.`);
  say(`Our matrix kernels: ${variants.map(([form, name]) => `${form} ${name}`).join(', ')}.`);
  const isSoftware = gpu.isSoftware;
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

  const keepRates = (name: string, rates: ReadonlyMap<string, Rates>) => {
    keep(recordsOf(name, 'GFLOP/s', pick(rates, 'gflops'), where));
    if (isSoftware)
      keep(recordsOf(name, `GFLOP/s${PROCESSOR}`, pick(rates, 'processorGflops'), where));
  };
  const wanted = (name: string) => name.startsWith(options.only ?? '');
  const peak = await openPeak(gpu);
  for (const size of SIZES) {
    const name = `matmul/${size.join('x')}`;
    if (!wanted(name)) continue;
    say(name);
    const products = await openMatmuls(contenders, size);
    keepRates(name, await measureRates(products.set('peak', peak)));
  }
  const ofForms = SIZES.flatMap((size) => FORMS.map((form) => ({ size, form })));
  for (const { size, form } of [...ofForms, ...LORA_PRODUCTS]) {
    const name = `matmul/${size.join('x')}/${form.name}`;
    if (!wanted(name)) continue;
    say(name);
    const ours = await openProduct(gpu, size, form);
    const rates = await measureRates(
      new Map([
        ['ours', ours],
        ['peak', peak],
      ]),
    );
    keepRates(name, rates);
    ours.dispose?.();
  }
  if (wanted(LORA_STEP)) {
    say(`${LORA_STEP} (the peers compile for minutes on a software GPU)`);
    const problem = await loraProblem(readFileSync(options.configFile, 'utf8'));
    const figures = await measureLora(contenders, problem, say);
    keep(recordsOf(LORA_STEP, 'tokens/s', pick(figures, 'tokensPerSecond'), where));
    if (isSoftware)
      keep(
        recordsOf(
          LORA_STEP,
          `tokens/s${PROCESSOR}`,
          pick(figures, 'processorTokensPerSecond'),
          where,
        ),
      );
    keep(recordsOf(LORA_STEP, 'compile s', pick(figures, 'compileSeconds'), where));
  }

  const table = formatTable(records);
  say(`\n${table}`);
  const exitCode = missing === 0 ? 0 : 1;
  if (options.only !== undefined) return exitCode;
  writeFileSync(options.resultsFile, `${JSON.stringify(records, undefined, 2)}\n`);
  if (options.log) {
    const { file, remark } = options.log;
    const entry = `## ${where.date.slice(0, 10)}: ${remark}\n\n${where.adapter}\n\n${table}\n`;
    writeFileSync(file, `${readFileSync(file, 'utf8').trimEnd()}\n\n${entry}`);
  }
  return exitCode;
}

function pick<Figures>(
  figures: ReadonlyMap<string, Figures>,
  key: { [K in keyof Figures]: Figures[K] extends number ? K : never }[keyof Figures],
): Map<string, number> {
  return new Map([...figures].map(([name, values]) => [name, values[key] as number]));
}
