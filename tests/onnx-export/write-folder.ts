/**
 * Writes exported folders of the reference checkpoints for the Python checks, and is no test itself.
 *   INKSTONE_EXPORT_DIR=/some/dir npx vitest run tests/onnx-export
 */
import { createWriteStream, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { once } from 'node:events';
import { exportFolder, type ExportDtype } from '../../src/lib/onnx-export';
import type { openGolden } from './golden-models';

export async function writeFolder(
  golden: ReturnType<typeof openGolden>,
  directory: string,
  dtype: ExportDtype,
): Promise<void> {
  for await (const part of exportFolder({ ...golden, dtype })) {
    const path = join(directory, part.name);
    mkdirSync(dirname(path), { recursive: true });
    const stream = createWriteStream(path);
    for await (const chunk of part.bytes) if (!stream.write(chunk)) await once(stream, 'drain');
    stream.end();
    await once(stream, 'finish');
  }
}
