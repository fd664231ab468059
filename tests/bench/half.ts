/** What 16 bits are worth on this adapter: arithmetic alone, a product, a step; each against our own in 32. */
import { readFileSync } from 'node:fs';
import type { Bench } from './bench';
import type { Contender } from './contender';
import { loraProblem } from './lora-problem';
import { measureLora } from './measure-lora';
import { measureRates, type Rated } from './measure';
import { prepareTrainer } from './ours';
import { openPeak } from './peak';
import { openProduct, type ProductForm } from './products';
import type { BenchedModel } from './rows';

/** Its own peak against that in 32. */
async function benchArithmetic(bench: Bench): Promise<void> {
  const name = 'arithmetic/f16';
  if (!bench.wanted(name)) return;
  bench.say(name);
  const half = await openPeak(bench.gpu, 'f16');
  bench.keepRates(
    name,
    await measureRates(
      new Map([
        ['ours', half],
        ['peak', bench.peak],
      ]),
    ),
  );
  half.dispose?.();
}

/** Against the kernel with tiles in 32 bits, and the one that this adapter uses. */
async function benchProduct(bench: Bench): Promise<void> {
  const name = 'fp16/512x512x512';
  if (!bench.wanted(name)) return;
  bench.say(name);
  const form: ProductForm = { name, dtype: 'f32', transposeA: false, transposeB: true };
  const open = (choice: Partial<ProductForm>) =>
    openProduct(bench.gpu, [512, 512, 512], { ...form, ...choice });
  const rated = new Map<string, Rated>([
    ['ours', await open({ fp16: true })],
    ['f32 tiled', await open({ variant: 'tiled' })],
    ['f32', await open({})],
  ]);
  bench.keepRates(name, await measureRates(rated));
  for (const { dispose } of rated.values()) dispose?.();
}

async function benchStep(bench: Bench, { name, configFile, batch, effort }: BenchedModel) {
  const row = `fp16/${name}`;
  if (!bench.wanted(row)) return;
  bench.say(row);
  const problem = await loraProblem(readFileSync(configFile, 'utf8'), batch);
  const contender = (name: string, fp16: boolean): Contender => ({
    name,
    loraStep: (problem) =>
      prepareTrainer(bench.gpu, { ...problem, training: { ...problem.training, fp16 } }),
  });
  const both = [contender('ours', true), contender('f32', false)];
  const figures = await measureLora(both, problem, effort, bench.watch, bench.say);
  bench.keepTimed(
    row,
    'tokens/s',
    figures,
    ({ tokensPerSecond }) => tokensPerSecond,
    ({ processorTokensPerSecond }) => processorTokensPerSecond,
  );
}

export async function benchHalf(bench: Bench, model: BenchedModel): Promise<void> {
  if (!bench.gpu.features.f16) return;
  await benchArithmetic(bench);
  await benchProduct(bench);
  await benchStep(bench, model);
}
