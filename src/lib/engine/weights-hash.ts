/**
 * One SHA-256 for the weights of a model that no hub has given a revision: that of the one safetensors file, or, of
 * several, that of the lines `HASH  NAME` in the order of names, as `sha256sum *.safetensors | sha256sum` has it.
 */
import { Sha256 } from '../formats/sha256';

const isWeights = (fileName: string): boolean => fileName.endsWith('.safetensors');

/** @param hashes of a folder's files by name, hexadecimal; undefined where weights are missing or without one */
export function weightsHashOf(hashes: ReadonlyMap<string, string | undefined>): string | undefined {
  const weights = [...hashes].filter(([name]) => isWeights(name));
  if (weights.length === 0 || weights.some(([, hash]) => hash === undefined)) return undefined;
  if (weights.length === 1) return weights[0][1];
  const lines = weights
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, hash]) => `${hash}  ${name}\n`);
  return new Sha256().update(new TextEncoder().encode(lines.join(''))).digest();
}

/** Hashes weights on their way into a folder: they are read once. */
export class WeightsHash {
  private readonly hashes = new Map<string, string>();

  async *over(name: string, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    if (!isWeights(name)) return yield* chunks;
    const hash = new Sha256();
    for await (const chunk of chunks) {
      hash.update(chunk);
      yield chunk;
    }
    this.hashes.set(name, hash.digest());
  }

  digest(): string | undefined {
    return weightsHashOf(this.hashes);
  }
}
