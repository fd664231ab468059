/**
 * Plan: an adapter of a model that the hub has is taken away under the hub's name and commit, whatever name an older
 * version has written into its checkpoint, and comes back in under either; one of an imported model has the model's
 * name and no commit; what another program wrote into an imported adapter stays byte for byte. Its model card has
 * PEFT's front matter, tells data by name and size and what was measured, and has nothing else of the person's in it. Its
 * trainer_state.json is that of its own checkpoint, byte for byte, as long as the adapter is here; the zip comes in again
 * as it is, and what came in has none to take away.
 */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { readZip } from '$lib/formats';
import type { EngineApi, RunSummary, TrainRequest } from '$lib/rpc/engine-api';
import { goldenPath } from '../goldens';
import { refusalOf, startEngine } from './engines';
import { FailingGpu } from './failing-gpu';
import { Disk } from './mortal-storage';
import { importSmallModel, importTokenRows, silent, smallRun } from './small-model';

const HUB_ID = 'smollm2-135m-instruct';
const SHOWN = 'SmolLM2 135M Instruct';
const REPO = 'HuggingFaceTB/SmolLM2-135M-Instruct';
const COMMIT = '7e27bd9f95328f0f3b08261d1252705110c806f8';

const CONFIG = 'adapter_config.json';
const CARD = 'README.md';
const STATE = 'trainer_state.json';

type Taken = ReadonlyMap<string, string>;

async function take(engine: EngineApi, modelId: string, adapterId: string): Promise<Taken> {
  const { file } = await engine.exportModel({ modelId, adapterId, format: 'peft' }, silent());
  const entries = readZip(new Uint8Array(await file.arrayBuffer()));
  return new Map(entries.map(({ name, read }) => [name, Buffer.from(read()).toString('latin1')]));
}

const configOf = (taken: Taken) => JSON.parse(taken.get(CONFIG)!) as Record<string, unknown>;

const filesOf = (taken: Taken) =>
  [...taken].map(([name, text]) => new File([Buffer.from(text, 'latin1')], name));

describe('an adapter that is taken away', () => {
  const disk = new Disk();
  const engine = startEngine(disk, { gpu: new FailingGpu() });
  let importedId: string;
  let imported: RunSummary;
  let ofHub: RunSummary;

  beforeAll(async () => {
    importedId = await importSmallModel(engine);
    // The small model stands where a download would have put the hub's.
    for (const { path } of await disk.files.list(`models/${importedId}`)) {
      const bytes = await (await disk.files.readFile(path)).arrayBuffer();
      await disk.files.writeFile(path.replace(importedId, HUB_ID), new Uint8Array(bytes));
    }
    const summary = (await engine.listModels(undefined, silent())).find(({ id }) => id === HUB_ID)!;
    const downloaded = { ...summary, present: true, revision: COMMIT, schemaVersion: 1 };
    await disk.tables.put('models', downloaded);
    const request = async (modelId: string): Promise<TrainRequest> => ({
      ...smallRun(modelId, await importTokenRows(engine), {
        save_strategy: 'steps',
        save_steps: 4,
        save_total_limit: null,
        eval_strategy: 'steps',
        eval_steps: 4,
      }),
      evalShare: 0.2,
      name: 'Patient Müller',
      samplePrompts: ['my own words'],
    });
    imported = await engine.train(await request(importedId), silent());
    ofHub = await engine.train(await request(HUB_ID), silent());
  }, 60_000);

  it('names the base as the hub does, and the commit that it was trained on', async () => {
    const taken = await take(engine, HUB_ID, ofHub.adapterId!);
    expect(configOf(taken)).toMatchObject({ base_model_name_or_path: REPO, revision: COMMIT });
    const path = `runs/${ofHub.id}/checkpoint-${ofHub.totalSteps}/${CONFIG}`;
    expect(await (await disk.files.readFile(path)).text()).toBe(taken.get(CONFIG));
    const other = configOf(await take(engine, importedId, imported.adapterId!));
    expect(other).toMatchObject({ base_model_name_or_path: 'small', revision: null });
    const { base_model_name_or_path, revision } = other;
    expect({ ...configOf(taken), base_model_name_or_path, revision }).toEqual(other);
  });

  it('is refused for another model than its own', async () => {
    const asked = { modelId: importedId, adapterId: ofHub.adapterId!, format: 'peft' } as const;
    expect((await refusalOf(engine.exportModel(asked, silent()))).code).toBe('wrong-model');
  });

  it('of a checkpoint that an older version wrote has the name too, and comes back under both', async () => {
    const [first] = ofHub.checkpoints;
    const path = `runs/${ofHub.id}/checkpoint-${first.step}/${CONFIG}`;
    const before = await take(engine, HUB_ID, first.adapterId);
    const older = { ...configOf(before), base_model_name_or_path: SHOWN, revision: null };
    const text = JSON.stringify(older);
    await disk.files.writeFile(path, new TextEncoder().encode(text));
    expect(configOf(await take(engine, HUB_ID, first.adapterId))).toEqual(configOf(before));

    // What was taken away of old, and what is now.
    for (const given of [new Map([...before, [CONFIG, text]]), before]) {
      const input = { files: filesOf(given), modelId: HUB_ID, name: 'again' };
      const { id } = await engine.importAdapter(input, silent());
      const again = await take(engine, HUB_ID, id);
      expect(configOf(again).base_model_name_or_path).toBe(REPO);
      expect(again.get('adapter_model.safetensors')).toBe(before.get('adapter_model.safetensors'));
    }
  });

  it('of another program has the words of that program, and a card that claims no more', async () => {
    const folder = goldenPath('starts/gaussian');
    const files = [CONFIG, 'adapter_model.safetensors'].map(
      (name) => new File([readFileSync(`${folder}/${name}`)], name),
    );
    const input = { files, modelId: HUB_ID, name: 'theirs' };
    const { id, peft } = await engine.importAdapter(input, silent());
    expect(peft).toMatchObject({ peft_type: 'LORA', init_lora_weights: true });
    const taken = await take(engine, HUB_ID, id);
    expect(taken.get(CONFIG)).toBe(readFileSync(`${folder}/${CONFIG}`, 'latin1'));
    const card = taken.get(CARD)!;
    expect(card).toMatch(/^---\nlibrary_name: peft\npipeline_tag: text-generation\n/);
    expect(card).toMatch(/what it was trained on is not known/);
    expect(card).not.toMatch(/base_model:|Training|trained on was sent/);
  });

  it('has the trainer_state.json of its own checkpoint, and comes in again as the zip that it is', async () => {
    const [first] = ofHub.checkpoints;
    expect(first.step).toBeLessThan(ofHub.totalSteps);
    for (const { adapterId, step } of [first, ofHub.checkpoints.at(-1)!]) {
      const text = (await take(engine, HUB_ID, adapterId)).get(STATE)!;
      const path = `runs/${ofHub.id}/checkpoint-${step}/${STATE}`;
      expect(text).toBe(await (await disk.files.readFile(path)).text());
      expect(JSON.parse(text)).toMatchObject({ global_step: step });
      expect(text).not.toMatch(/Müller|my own words|runtime/);
    }
    const asked = { modelId: HUB_ID, adapterId: first.adapterId, format: 'peft' } as const;
    const { file } = await engine.exportModel(asked, silent());
    const input = { files: [file], modelId: HUB_ID, name: 'a zip' };
    const { id } = await engine.importAdapter(input, silent());
    const again = await take(engine, HUB_ID, id);
    expect([...again.keys()].sort()).toEqual([CARD, CONFIG, 'adapter_model.safetensors']);
  });

  it('has it where it outlives its run, and goes without where the browser has cleared it', async () => {
    const request = smallRun(HUB_ID, await importTokenRows(engine), { max_steps: 2 });
    const run = await engine.train(request, silent());
    const before = (await take(engine, HUB_ID, run.adapterId!)).get(STATE);
    await engine.deleteRun({ runId: run.id, keepAdapter: true }, silent());
    expect((await take(engine, HUB_ID, run.adapterId!)).get(STATE)).toBe(before);
    await disk.files.remove(`runs/${run.id}/checkpoint-2/${STATE}`);
    expect((await take(engine, HUB_ID, run.adapterId!)).has(STATE)).toBe(false);
  });

  it("has a card with PEFT's front matter and what is known of the training", async () => {
    const card = (await take(engine, HUB_ID, ofHub.adapterId!)).get(CARD)!;
    // As PEFT 0.21 has written it for such a base.
    expect(card.slice(0, card.indexOf('\n# '))).toBe(
      [
        ...['---', `base_model: ${REPO}`, 'library_name: peft', 'pipeline_tag: text-generation'],
        ...['tags:', `- base_model:adapter:${REPO}`, '- lora', '- transformers', '---', ''],
      ].join('\n'),
    );
    expect(card).toContain('Learned from: rows, 10 rows (tokenised)');
    expect(card).toContain('Held back for evaluation: 20 % of the rows');
    expect(card).toContain(`Step ${ofHub.totalSteps} of ${ofHub.totalSteps}`);
    const trained = ofHub.log.findLast((entry) => 'loss' in entry)!;
    expect(card).toContain(`Training loss at step ${trained.step}: ${trained.loss.toFixed(4)}`);
    const evaluated = ofHub.log.findLast((entry) => 'eval_loss' in entry)!;
    expect(card).toContain(`Evaluation loss at step ${evaluated.step}`);
    expect(card).toContain('| target_modules | q\\_proj, v\\_proj |');
    expect(card).toContain('| learning_rate | 0.01 |');
    expect(card).toContain('on the device of the person');
    expect(card).not.toMatch(/license|Müller|my own words|input_ids/);

    const other = (await take(engine, importedId, imported.adapterId!)).get(CARD)!;
    expect(other).toMatch(/^---\nlibrary_name: peft\n/);
    expect(other).not.toMatch(/base_model|AutoPeft/);
    expect(other).toContain('Made from small with Inkstone');
  });

  it('tells the figures of its own step, and words of the data as words', async () => {
    const [first] = ofHub.checkpoints;
    const rows = JSON.stringify([1, 2, 3, 4].map((n) => ({ input_ids: [n, 2, 3] })));
    const file = new File([rows], '[x](http://y) <b>`|\n# z.json');
    const { dataset } = await engine.importDataset({ file }, silent());
    const card = (await take(engine, HUB_ID, first.adapterId)).get(CARD)!;
    expect(card).toContain(`Step ${first.step} of ${ofHub.totalSteps}`);
    const request = smallRun(HUB_ID, dataset!.id, { max_steps: 1 });
    const run = await engine.train(request, silent());
    const odd = (await take(engine, HUB_ID, run.adapterId!)).get(CARD)!;
    const line = odd.split('\n').find((each) => each.startsWith('- Learned from'))!;
    expect(line).toContain('\\[x\\](http://y) \\<b\\>\\`\\|');
    expect(odd.split('\n').filter((each) => each.startsWith('# '))).toHaveLength(1);
  });
});
