/**
 * Adam's moments in 8 bits on the GPU, and which parameters have them: as in bitsandbytes, those of at least
 * 4096 elements that are no embedding. The others keep moments of 32 bits, packed together.
 */
import type { Gpu, Tensor } from '../gpu';
import {
  BLOCK_ELEMENTS,
  blocksOf,
  createBlockTensors,
  type Block,
  type BlockTensors,
} from '../kernels/adamw-8bit';
import type { AdapterLayout, AdapterParameter, OptimizerMoments, ParameterGroup } from '../peft';
import { TrainingError } from './errors';

/** bitsandbytes' `min_8bit_size`. */
const FEWEST_ELEMENTS = 4096;

/** The Trainer tells bitsandbytes to keep 32 bits for every nn.Embedding. */
const EMBEDDING = 'model.embed_tokens.weight';

/** Moments as codes: 256 for each block, and each block's largest magnitude. */
export interface BlockMoments {
  readonly mCodes: Uint8Array;
  readonly vCodes: Uint8Array;
  readonly mAbsmax: Float32Array;
  readonly vAbsmax: Float32Array;
}

/** What a checkpoint keeps of an optimiser; with `blocks`, m and v are those of 32 bits alone. */
export interface OptimizerState extends OptimizerMoments {
  readonly blocks?: BlockMoments;
}

/** A stretch of parameters with moments of 32 bits, and where those lie among their like. */
export interface SmallRun {
  readonly offset: number;
  readonly count: number;
  readonly momentOffset: number;
}

/** What a parameter group is made of. */
export interface GroupParts {
  readonly group: ParameterGroup;
  /** Blocks of the group among all. */
  readonly blocks: { first: number; count: number };
  readonly small: readonly SmallRun[];
}

/** Cuts each group into blocks of large parameters and runs of small ones. Pure. */
export function planMoments(layout: AdapterLayout): {
  groups: GroupParts[];
  blocks: Block[];
  smallCount: number;
} {
  const blocks: Block[] = [];
  let smallCount = 0;
  const groups = layout.groups.map((group): GroupParts => {
    const first = blocks.length;
    const small: { -readonly [Field in keyof SmallRun]: SmallRun[Field] }[] = [];
    const end = group.offset + group.count;
    const own = layout.parameters.filter(({ offset }) => offset >= group.offset && offset < end);
    own.forEach((parameter, i) => {
      if (isLarge(parameter)) {
        blocks.push(...blocksOf(parameter));
        return;
      }
      // With the padding behind it, which has no gradient.
      const count = (own[i + 1]?.offset ?? end) - parameter.offset;
      const last = small.at(-1);
      if (last && last.offset + last.count === parameter.offset) last.count += count;
      else small.push({ offset: parameter.offset, count, momentOffset: smallCount });
      smallCount += count;
    });
    return { group, blocks: { first, count: blocks.length - first }, small };
  });
  return { groups, blocks, smallCount };
}

const isLarge = ({ count, path }: AdapterParameter) =>
  count >= FEWEST_ELEMENTS && path !== EMBEDDING;

export class Moments8bit {
  readonly groups: readonly GroupParts[];
  /** Undefined where no parameter is large. */
  readonly tensors: BlockTensors | undefined;
  /** Moments of 32 bits; undefined where every parameter is large. */
  readonly small: { m: Tensor; v: Tensor } | undefined;

  constructor(
    private readonly gpu: Gpu,
    layout: AdapterLayout,
  ) {
    const { groups, blocks, smallCount } = planMoments(layout);
    this.groups = groups;
    this.tensors = blocks.length > 0 ? createBlockTensors(gpu, blocks) : undefined;
    const flat = (label: string) => gpu.createTensor(`small ${label}`, [smallCount]);
    this.small = smallCount > 0 ? { m: flat('m'), v: flat('v') } : undefined;
  }

  async read(): Promise<OptimizerState> {
    const { gpu, tensors, small } = this;
    const none = new Float32Array();
    const m = small ? await gpu.readFloats(small.m) : none;
    const v = small ? await gpu.readFloats(small.v) : none;
    if (!tensors) return { m, v };
    const codes = new Uint8Array(await gpu.readBytes(tensors.codes));
    const absmax = await gpu.readFloats(tensors.absmax);
    const [half, blocks] = [codes.length / 2, absmax.length / 2];
    return {
      m,
      v,
      blocks: {
        mCodes: codes.slice(0, half),
        vCodes: codes.slice(half),
        mAbsmax: absmax.slice(0, blocks),
        vAbsmax: absmax.slice(blocks),
      },
    };
  }

  /** @throws TrainingError `wrong-checkpoint` */
  write({ m, v, blocks }: OptimizerState): void {
    const { gpu, tensors, small } = this;
    const blockCount = tensors?.absmax.shape[1] ?? 0;
    const smallCount = small?.m.shape[0] ?? 0;
    const fits =
      m.length === smallCount &&
      v.length === smallCount &&
      (blocks?.mCodes.length ?? 0) === blockCount * BLOCK_ELEMENTS &&
      (blocks?.mAbsmax.length ?? 0) === blockCount;
    if (!fits)
      throw new TrainingError(
        'wrong-checkpoint',
        'The checkpoint does not hold the 8-bit moments of this run. Resume with the optim and the settings that it was made with.',
      );
    if (small) {
      gpu.upload(small.m, m);
      gpu.upload(small.v, v);
    }
    if (!tensors || !blocks) return;
    const codes = new Uint8Array(2 * blocks.mCodes.length);
    codes.set(blocks.mCodes);
    codes.set(blocks.vCodes, blocks.mCodes.length);
    gpu.upload(tensors.codes, codes);
    const absmax = new Float32Array(2 * blockCount);
    absmax.set(blocks.mAbsmax);
    absmax.set(blocks.vAbsmax, blockCount);
    gpu.upload(tensors.absmax, absmax);
  }

  /** GPU memory of all of it. */
  get sizeBytes(): number {
    return this.all().reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  dispose(): void {
    for (const tensor of this.all()) this.gpu.destroyTensor(tensor);
  }

  private all(): Tensor[] {
    const { maps, blocks, codes, absmax } = this.tensors ?? {};
    const tensors = [maps, blocks, codes, absmax, this.small?.m, this.small?.v];
    return tensors.filter((tensor) => tensor !== undefined);
  }
}
