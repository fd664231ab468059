/** The command line in its own process, against the goldens: train, evaluate, merge, export, and its refusals. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseModelConfig } from '$lib/config';
import { parseOnnx } from '$lib/formats';
import { openAdapterFolder } from '../../src/cli/model-folder';
import { goldenPath, readJson, readTensors, relativeL2 } from '../goldens';
import { inkstone } from './inkstone';

describe('npm run inkstone', () => {
  let out: string;
  beforeAll(() => {
    out = mkdtempSync(join(tmpdir(), 'inkstone-'));
  });
  afterAll(() => rmSync(out, { recursive: true }));

  const name = 'cosine-warmup-clip-decay';
  const folder = goldenPath(`training/${name}`);
  const model = goldenPath(
    `models/${readJson<{ model: string }>(`training/${name}/case.json`).model}`,
  );

  it("train: the Trainer's losses on stdout, PEFT's files and trainer_state.json in the folder", async () => {
    const output = join(out, 'run');
    const { code, stdout, stderr } = await inkstone(
      ...['train', '--model', model, '--dataset', `${folder}/dataset.jsonl`],
      ...['--config', `${folder}/config.json`, '--init-adapter', `${folder}/init-adapter`],
      ...['--output', output],
    );
    expect([code, stderr]).toEqual([0, '']);
    const [first, ...lines] = stdout.trim().split('\n');
    expect(first).toMatch(
      /^trainable params: [\d,]+ \|\| all params: [\d,]+ \|\| trainable%: \d+\.\d{4}$/,
    );
    const expected = readJson<{ steps: { loss: number }[] }>(
      `training/${name}/expected.json`,
    ).steps;
    const losses = lines.map((line) => (JSON.parse(line) as { loss: number }).loss);
    expect(losses).toHaveLength(expected.length);
    losses.forEach((loss, i) => expect(Math.abs(loss / expected[i].loss - 1)).toBeLessThan(2e-4));
    const state = JSON.parse(readFileSync(join(output, 'trainer_state.json'), 'utf8'));
    expect(state.log_history).toHaveLength(expected.length);
    const adapter = JSON.parse(readFileSync(join(output, 'adapter_config.json'), 'utf8'));
    expect(adapter).toMatchObject({ base_model_name_or_path: model, revision: null });
    const config = parseModelConfig(readFileSync(`${model}/config.json`, 'utf8'));
    const found = await openAdapterFolder(output, config);
    const final = await openAdapterFolder(`${folder}/final-adapter`, config);
    expect(relativeL2(found.values, final.values)).toBeLessThan(1e-3);
  });

  it('train: save_total_limit keeps the newest checkpoints of the run, and what is not its own', async () => {
    const output = join(out, 'limited');
    mkdirSync(join(output, 'checkpoint-1'), { recursive: true });
    const settings = JSON.parse(readFileSync(`${folder}/config.json`, 'utf8')) as object;
    const config = join(out, 'limited.json');
    const limits = { save_strategy: 'steps', save_steps: 2, max_steps: 7, save_total_limit: 2 };
    writeFileSync(config, JSON.stringify({ ...settings, ...limits }));
    const { code, stderr } = await inkstone(
      ...['train', '--model', model, '--dataset', `${folder}/dataset.jsonl`],
      ...['--config', config, '--output', output],
    );
    expect([code, stderr]).toEqual([0, '']);
    const folders = readdirSync(output).filter((entry) => entry.startsWith('checkpoint-'));
    expect(folders.sort()).toEqual(['checkpoint-1', 'checkpoint-6', 'checkpoint-7']);
  });

  it('train: tells in a line each what the config names and nobody reads, and trains', async () => {
    const settings = JSON.parse(readFileSync(`${folder}/config.json`, 'utf8')) as object;
    const config = join(out, 'unread.json');
    const unread = { max_seq_len: 64, learning_rte: 1, bf16: false, output_dir: 'x' };
    writeFileSync(config, JSON.stringify({ ...settings, max_steps: 1, ...unread }));
    const { code, stderr } = await inkstone(
      ...['train', '--model', model, '--dataset', `${folder}/dataset.jsonl`],
      ...['--config', config, '--output', join(out, 'unread')],
    );
    expect([code, stderr.trim().split('\n')]).toEqual([
      0,
      [
        `${config}: max_seq_len is not used (it is 64): use max_length.`,
        `${config}: learning_rte is not used; did you mean learning_rate?`,
      ],
    ]);
  });

  it('train: takes a recipe in YAML, and refuses one by its line', async () => {
    const config = join(out, 'recipe.yml');
    const words = [
      ...['train', '--model', model, '--dataset', `${folder}/dataset.jsonl`],
      ...['--config', config, '--output', join(out, 'yaml')],
    ];
    const recipe = 'finetuning_type: lora\nlora_rank: 4\nlora_target: all\nmax_steps: 1\n';
    writeFileSync(config, `${recipe}dataset: mine\n`);
    const { code, stderr } = await inkstone(...words);
    expect([code, stderr]).toEqual([
      0,
      `${config}: dataset is not used (it is "mine"): give --dataset on the command line.\n`,
    ]);
    const adapter = readFileSync(join(out, 'yaml', 'adapter_config.json'), 'utf8');
    expect(JSON.parse(adapter)).toMatchObject({ r: 4, peft_type: 'LORA' });
    writeFileSync(config, `${recipe}max_steps: 2\n`);
    const refused = await inkstone(...words);
    expect([refused.code, refused.stderr.trim()]).toEqual([
      1,
      expect.stringContaining(`${config}, line 5 has max_steps a second time.`),
    ]);
  });

  it('train: tells in a line for each data set which of its columns nobody reads', async () => {
    const rows = (more: object) =>
      `${JSON.stringify({ input_ids: [1, 2, 3], labels: [-100, 2, 3], ...more })}\n`;
    const dataset = join(out, 'columns.jsonl');
    writeFileSync(dataset, rows({ id: 7, 'the source': 'x', topic: null }).repeat(2));
    const held = join(out, 'held.jsonl');
    const many = Object.fromEntries(Array.from({ length: 15 }, (_, i) => [`c${i}`, i]));
    writeFileSync(held, rows(many));
    const settings = JSON.parse(readFileSync(`${folder}/config.json`, 'utf8')) as object;
    const config = join(out, 'columns.json');
    const evaluated = { max_steps: 1, eval_strategy: 'epoch' };
    writeFileSync(config, JSON.stringify({ ...settings, ...evaluated }));
    const words = ['train', '--model', model, '--config', config, '--dataset', dataset];
    const { code, stderr } = await inkstone(
      ...words,
      ...['--eval-dataset', held, '--output', join(out, 'columns')],
    );
    expect([code, stderr.trim().split('\n')]).toEqual([
      0,
      [
        'columns.jsonl: id, "the source" and topic are not used.',
        'held.jsonl: c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11 and 3 more are not used.',
      ],
    ]);
    writeFileSync(dataset, rows({ id: 7, attention_mask: [1, 1, 1] }));
    const one = await inkstone('evaluate', '--model', model, '--dataset', dataset);
    expect([one.code, one.stderr]).toEqual([0, 'columns.jsonl: id is not used.\n']);
  });

  it('train --eval-dataset: evaluates on the way and ends with the best checkpoint', async () => {
    const best = goldenPath('arguments/eval-best');
    const { model: name } = readJson<{ model: string }>('arguments/eval-best/case.json');
    const output = join(out, 'best');
    const config = join(out, 'best.json');
    const settings = readJson<object>('arguments/eval-best/config.json');
    writeFileSync(config, JSON.stringify({ ...settings, save_total_limit: 1 }));
    const words = [
      ...['train', '--model', goldenPath(`models/${name}`), '--config', config],
      ...['--dataset', `${best}/dataset.jsonl`, '--output', output],
      ...['--init-adapter', `${best}/init-adapter`],
    ];
    const held = ['--eval-dataset', `${best}/eval.jsonl`];
    const { code, stdout, stderr } = await inkstone(...words, ...held);
    expect([code, stderr]).toEqual([0, '']);
    const printed = stdout.trim().split('\n').slice(1);
    const evaluated = printed.flatMap((line) => {
      const { step, eval_loss, eval_mean_token_accuracy } = JSON.parse(line) as {
        step: number;
        eval_loss?: number;
        eval_mean_token_accuracy?: number;
      };
      if (eval_loss === undefined) return [];
      expect(eval_mean_token_accuracy).toBeGreaterThanOrEqual(0);
      return [{ step, eval_loss: expect.closeTo(eval_loss, 3) }];
    });
    const expected = readJson<{ evaluations: { step: number; eval_loss: number }[] }>(
      'arguments/eval-best/expected.json',
    ).evaluations;
    expect(expected.map(({ step, eval_loss }) => ({ step, eval_loss }))).toEqual(evaluated);
    expect(JSON.parse(readFileSync(join(output, 'trainer_state.json'), 'utf8'))).toMatchObject({
      best_global_step: 8,
      best_model_checkpoint: `${output}/checkpoint-8`,
      eval_steps: 2,
      global_step: 12,
    });
    // As the Trainer ends: of one checkpoint that is the best.
    expect(readdirSync(output).filter((entry) => entry.startsWith('checkpoint-'))).toEqual([
      'checkpoint-8',
    ]);
    const weights = (path: string) => readFileSync(join(path, 'adapter_model.safetensors'));
    expect(weights(output).equals(weights(join(output, 'checkpoint-8')))).toBe(true);

    const without = await inkstone(...words);
    expect(without.code).toBe(1);
    expect(without.stderr).toMatch(/no rows to evaluate on. Give them with --eval-dataset/);
  });

  it('evaluate: mean loss, perplexity and token accuracy as JSON, with and without the adapter', async () => {
    const words = ['evaluate', '--model', model, '--dataset', `${folder}/dataset.jsonl`];
    const read = async (...more: string[]) => {
      const { code, stdout } = await inkstone(...words, ...more);
      expect(code).toBe(0);
      return JSON.parse(stdout) as Record<
        'loss' | 'perplexity' | 'mean_token_accuracy' | 'tokens',
        number
      >;
    };
    const base = await read();
    const tuned = await read('--adapter', `${folder}/final-adapter`);
    expect(base.perplexity).toBeCloseTo(Math.exp(base.loss), 6);
    expect(tuned.loss).toBeLessThan(base.loss);
    expect(tuned.tokens).toBe(base.tokens);
    // A whole number of tokens, of which the tuned model has more right.
    const right = [base, tuned].map((found) => found.mean_token_accuracy * found.tokens);
    for (const count of right) expect(Math.abs(count - Math.round(count))).toBeLessThan(1e-9);
    expect(right[1]).toBeGreaterThan(right[0]);
  });

  it("merge: PEFT's merged weights beside the model's own files", async () => {
    const golden = goldenPath('models/qwen2');
    const output = join(out, 'merged');
    const { code } = await inkstone(
      ...['merge', '--model', golden, '--adapter', `${golden}/adapter`, '--output', output],
    );
    expect(code).toBe(0);
    const found = readTensors(join(output, 'model.safetensors'));
    for (const [key, { floats }] of readTensors(`${golden}/merged.safetensors`))
      expect(relativeL2(found.get(key)!.floats, floats), key).toBeLessThan(1e-6);
    expect(readFileSync(join(output, 'config.json'), 'utf8')).toBe(
      readFileSync(`${golden}/config.json`, 'utf8'),
    );
  });

  it.each(['fp32', 'fp16', 'q4'])(
    'export --dtype %s: a graph with its data beside it',
    async (dtype) => {
      const golden = goldenPath('models/llama-tied');
      const output = join(out, `onnx-${dtype}`);
      const { code, stderr } = await inkstone(
        ...['export', '--model', golden, '--adapter', `${golden}/adapter`],
        ...['--format', 'onnx', '--dtype', dtype, '--output', output],
      );
      expect([code, stderr]).toEqual([0, '']);
      const file = `onnx/model${{ fp32: '', fp16: '_fp16', q4: '_q4' }[dtype]}.onnx`;
      const graph = parseOnnx(new Uint8Array(readFileSync(join(output, file)))).graph;
      expect(graph.inputs.map((input) => input.name)).toContain('input_ids');
      expect(readFileSync(join(output, `${file}_data`)).length).toBeGreaterThan(0);
    },
  );

  describe('refuses with one line on stderr and exit code 1', () => {
    const bad = async (...words: string[]) => {
      const { code, stderr } = await inkstone(...words);
      expect(code).toBe(1);
      expect(stderr.trim().split('\n')).toHaveLength(1);
      return stderr;
    };
    const write = (file: string, content: unknown) => {
      const path = join(out, file);
      writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
      return path;
    };
    const train = (changes: Partial<Record<'model' | 'dataset' | 'config', string>>) =>
      bad(
        ...[
          'train',
          '--model',
          changes.model ?? model,
          '--dataset',
          changes.dataset ?? `${folder}/dataset.jsonl`,
        ],
        ...['--config', changes.config ?? `${folder}/config.json`, '--output', join(out, 'never')],
      );

    it('but help, which says every option of train', async () => {
      const { code, stdout } = await inkstone('help');
      expect(code).toBe(0);
      for (const option of ['--eval-dataset FILE', '--init-adapter DIR', '--resume [DIR]'])
        expect(stdout).toContain(option);
    });

    it.each([
      [['fly'], /no command fly; there are train, evaluate, merge, export/],
      [['merge', '--model', 'x'], /merge needs --adapter, --output/],
      [
        ['train', '--speed', '9'],
        /Allowed: --model, --dataset, --config, --output, --init-adapter/,
      ],
      [['evaluate', '--model', 'nowhere', '--dataset', 'x'], /nowhere is no folder/],
    ])('%j', async (words, message) => expect(await bad(...words)).toMatch(message));

    it('settings that cannot be', async () => {
      expect(await train({ config: write('out.json', { layer_replication: [[0, 2]] }) })).toMatch(
        /layer_replication is \[\[0,2\]\], which is not supported; only null is: replicate the layers/,
      );
      expect(await train({ config: write('rank.json', { r: 0 }) })).toMatch(
        /r is 0, it must be at least 1/,
      );
      expect(await train({ config: write('text.json', 'r: 8') })).toMatch(/text.json is not JSON/);
    });

    it('data that is none', async () => {
      expect(await train({ dataset: write('data.pdf', '%PDF-1.7 x') })).toMatch(/data.pdf/);
      const unknown = write('token.jsonl', { input_ids: [1, 5000], labels: [1, 5000] });
      expect(await train({ dataset: unknown })).toMatch(/token 5000, the model knows 0 to/);
    });

    it('a model of another architecture', async () => {
      const other = mkdtempSync(join(out, 'gpt'));
      writeFileSync(join(other, 'config.json'), '{"architectures": ["GPT2LMHeadModel"]}');
      expect(await train({ model: other })).toMatch(
        /GPT2LMHeadModel.*supported are LlamaForCausalLM/,
      );
    });

    it("another model's adapter", async () => {
      const adapter = goldenPath('models/llama-tied/adapter');
      const words = [
        'merge',
        '--model',
        goldenPath('models/qwen3'),
        '--adapter',
        adapter,
        '--output',
        out,
      ];
      expect(await bad(...words)).toMatch(/made for another model|no place for|has no/);
    });
  });
});
