/** What the engine's tests share: the bundled model over HTTP, rows, a short run, an adapter taken away. */
import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { COMMON_RECIPE } from '$lib/config';
import { readZip } from '$lib/formats';
import type { EngineApi, TrainRequest } from '$lib/rpc/engine-api';

/** Serves models/ and samples as the build does. */
export function serveBundled(): Promise<Server> {
  const root = new URL('../../models/', import.meta.url);
  const nano = [
    'config.json',
    'generation_config.json',
    'tokenizer.json',
    'tokenizer_config.json',
    'model.safetensors',
  ];
  const server = createServer((request, response) => {
    const path = (request.url ?? '').replace(/^\/models\//, '').replace(/^\//, '');
    if (path === 'nano-lm/files.json') {
      const files = nano.map((path) => {
        const bytes = readFileSync(new URL(`nano-lm/${path}`, root));
        const sha256 = createHash('sha256').update(bytes).digest('hex');
        return { path, sizeBytes: bytes.length, sha256 };
      });
      return void response.end(JSON.stringify({ files }));
    }
    try {
      response.end(readFileSync(new URL(path, root)));
    } catch {
      response.writeHead(404).end();
    }
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

export function baseUrlOf(server: Server): string {
  const { port } = server.address() as AddressInfo;
  return `http://127.0.0.1:${port}/`;
}

export const silent = () => ({ signal: new AbortController().signal, progress: () => {} });

export const alpaca = (rows: object[], name = 'rows.json') =>
  new File([JSON.stringify(rows)], name);

export const ROWS = Array.from({ length: 8 }, (_, i) => ({
  instruction: `问题${i}`,
  input: '',
  output: `答案${i}`,
}));

/** Four steps on the bundled model, with a checkpoint every second one. */
export const requestOf = (
  datasetId: string,
  changes: Partial<TrainRequest> = {},
): TrainRequest => ({
  modelId: 'nano-lm',
  datasetId,
  evalShare: 0,
  peft: { ...COMMON_RECIPE.lora, r: 2 },
  training: {
    ...COMMON_RECIPE.training,
    max_steps: 4,
    per_device_train_batch_size: 2,
    gradient_accumulation_steps: 1,
    save_strategy: 'steps',
    save_steps: 2,
    save_total_limit: null,
  },
  samplePrompts: [],
  name: 'a run',
  ...changes,
});

/** The files of an adapter as a person takes them away. */
export async function takePeft(
  engine: EngineApi,
  adapterId: string,
): Promise<Map<string, Uint8Array>> {
  const request = { modelId: 'nano-lm', adapterId, format: 'peft' } as const;
  const { file } = await engine.exportModel(request, silent());
  const entries = readZip(new Uint8Array(await file.arrayBuffer()));
  return new Map(entries.map((entry) => [entry.name, entry.read()]));
}
