/** Reads `model.safetensors.index.json`: which shard holds which tensor. */
import { isDeeperThan } from '../../config/json-depth';
import { describeValue } from '../describe';
import { FormatError } from '../errors';
import { findDuplicateKey } from '../json-keys';

/** An index names each tensor once; more text than a header may have is no index. */
const MAX_INDEX_CHARS = 100_000_000;

export interface SafetensorsIndex {
  /** Sum of the tensors' bytes as the writer counted them, where it did. */
  readonly totalSizeBytes: number | undefined;
  /** Tensor name to shard file name. */
  readonly weightMap: ReadonlyMap<string, string>;
  /** Distinct shard file names, sorted. */
  readonly shards: readonly string[];
}

/** A shard lies beside its index: a name with a folder in it would reach elsewhere. */
const SHARD_NAME = /^[^/\\\0]+\.safetensors$/;

export function parseSafetensorsIndex(
  text: string,
  fileName = 'model.safetensors.index.json',
): SafetensorsIndex {
  const fail = (reason: string, cause?: unknown): never => {
    throw new FormatError('corrupt', `${fileName} ${reason}`, { cause });
  };
  if (text.length > MAX_INDEX_CHARS) {
    throw new FormatError(
      'too-large',
      `${fileName} has ${text.length} characters; at most ${MAX_INDEX_CHARS} are allowed.`,
    );
  }
  if (isDeeperThan(text, 32)) fail('nests brackets deeper than 32.');
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    fail('is not JSON.', cause);
  }
  const duplicate = findDuplicateKey(text);
  if (duplicate !== undefined) fail(`names ${describeValue(duplicate)} twice.`);
  const { weight_map: map, metadata } = (isObject(parsed) ? parsed : {}) as Record<string, unknown>;
  if (!isObject(map)) {
    return fail(`has weight_map ${describeValue(map)}; it must be an object of tensor: file.`);
  }
  const weightMap = new Map<string, string>();
  for (const [tensor, shard] of Object.entries(map)) {
    if (typeof shard !== 'string' || !SHARD_NAME.test(shard)) {
      throw new FormatError(
        'unsafe-name',
        `${fileName} puts tensor ${describeValue(tensor)} into ${describeValue(shard)}; a file name that ends in .safetensors, without a folder, is allowed.`,
      );
    }
    weightMap.set(tensor, shard);
  }
  if (weightMap.size === 0) fail('names no tensor.');
  const total = isObject(metadata) ? metadata.total_size : undefined;
  return {
    totalSizeBytes: isCount(total) ? total : undefined,
    weightMap,
    shards: [...new Set(weightMap.values())].sort(),
  };
}

/** Shards that the index names and the folder lacks, sorted; empty where nothing is missing. */
export function missingShards(index: SafetensorsIndex, fileNames: Iterable<string>): string[] {
  const present = new Set(fileNames);
  return index.shards.filter((shard) => !present.has(shard));
}

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0 && !Object.is(value, -0);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
