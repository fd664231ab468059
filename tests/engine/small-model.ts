/** The small model and its rows, imported into an engine on Node. */
import { readFile } from 'node:fs/promises';
import type { EngineApi } from '$lib/rpc/engine-api';
import { goldenPath } from '../goldens';
import { silent, SMALL_MODEL, smallModelFiles, tokenRowsFile } from './small-run';

export { silent, smallRun } from './small-run';

export async function importSmallModel(engine: EngineApi, name = 'small'): Promise<string> {
  const files = await smallModelFiles(
    async (name) => new Uint8Array(await readFile(goldenPath(`${SMALL_MODEL}/${name}`))),
  );
  return (await engine.importModel({ files, name }, silent())).id;
}

export async function importTokenRows(engine: EngineApi): Promise<string> {
  return (await engine.importDataset({ file: tokenRowsFile() }, silent())).dataset!.id;
}
