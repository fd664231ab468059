/** `evaluate --model DIR [--adapter DIR] --dataset FILE`: prints loss, perplexity and token accuracy as one line of JSON. */
import { ModelWeights, NO_ADAPTER } from '$lib/decoder';
import { AdapterState } from '$lib/peft';
import { evaluateLoss } from '$lib/training';
import { requestNodeGpu } from '../gpu';
import { openAdapterFolder, openModelFolder } from '../model-folder';
import { print } from '../print';
import { readRows } from '../rows';

export interface EvaluateOptions {
  model: string;
  adapter?: string;
  dataset: string;
}

const BATCH_SIZE = 4;

export async function evaluate(options: EvaluateOptions): Promise<void> {
  const { config, checkpoint } = await openModelFolder(options.model);
  const loaded = options.adapter ? await openAdapterFolder(options.adapter, config) : undefined;
  const rows = await readRows(options.dataset, options.model, {
    maxLength: config.maxPositionEmbeddings,
    trainOnPrompt: false,
    splitLongText: true,
  });
  const gpu = await requestNodeGpu();
  try {
    const weights = await ModelWeights.upload(gpu, config, checkpoint.source, {
      storage: 'stored',
    });
    const adapter = loaded
      ? new AdapterState(gpu, loaded.layout, loaded.config, loaded.values, { trainable: false })
      : NO_ADAPTER;
    const report = await evaluateLoss({
      gpu,
      config,
      weights,
      adapter,
      rows,
      batchSize: BATCH_SIZE,
    });
    print(
      JSON.stringify({
        loss: report.loss,
        perplexity: report.perplexity,
        mean_token_accuracy: report.meanTokenAccuracy,
        tokens: report.targetCount,
        rows: report.rowCount,
      }),
    );
  } finally {
    gpu.dispose();
  }
}
