/** `merge --model DIR --adapter DIR --output DIR`: W + scale BA as an ordinary model folder. */
import { join } from 'node:path';
import { mergedSource, WEIGHTS_FILE, writeCheckpointWeights } from '$lib/decoder';
import { copyPresent, writeFileAtomically } from '../disk';
import { COMPANION_FILES, openAdapterFolder, openModelFolder } from '../model-folder';
import { print } from '../print';

export interface MergeOptions {
  model: string;
  adapter: string;
  output: string;
}

export async function merge({ model, adapter, output }: MergeOptions): Promise<void> {
  const { config, checkpoint } = await openModelFolder(model);
  const source = mergedSource(checkpoint.source, await openAdapterFolder(adapter, config));
  await copyPresent(COMPANION_FILES, model, output);
  await writeFileAtomically(join(output, WEIGHTS_FILE), writeCheckpointWeights(config, source));
  print(join(output, WEIGHTS_FILE));
}
