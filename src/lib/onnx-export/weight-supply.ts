/**
 * Where a graph's weights come from: graph inputs under their checkpoint names, or tensors of an
 * external data file, each with the recipe that makes its bytes from the checkpoint.
 */
import { float32ToF16, NF4_BLOCK } from '../formats';
import { FLOAT, FLOAT16, UINT8, type ExternalTensor, type GraphBuilder } from './graph-builder';
import { absmaxKey } from './decoder-weights';
import { Q4_BLOCK } from './quantize-q4';

export type ExportDtype = 'fp32' | 'fp16' | 'q4';

/** How the bytes of an external tensor are made. */
export type Recipe =
  | { readonly from: 'weight'; readonly weight: string; readonly as: 'f32' | 'f16' }
  | {
      readonly from: 'weight';
      readonly weight: string;
      readonly as: 'q4' | 'q4-scales';
      readonly inFeatures: number;
    }
  | { readonly from: 'rope'; readonly table: 'cos' | 'sin'; readonly as: 'f32' | 'f16' };

export interface PlannedTensor extends ExternalTensor {
  readonly recipe: Recipe;
}

export class WeightSupply {
  readonly planned: PlannedTensor[] = [];
  private readonly known = new Set<string>();

  constructor(
    private readonly graph: GraphBuilder,
    private readonly kind: 'inputs' | 'external',
    readonly dtype: ExportDtype,
    /** Biases are graph inputs even where the other weights are external. */
    private readonly biasInputs: boolean,
  ) {}

  /** Element type of activations, of the cache and of unquantised weights. */
  get floatType(): typeof FLOAT | typeof FLOAT16 {
    return this.dtype === 'fp16' ? FLOAT16 : FLOAT;
  }

  /** A scalar in the type of the activations. */
  scalar(value: number): string {
    const values = new Float32Array([value]);
    const bits = this.dtype === 'fp16' ? float32ToF16(values) : values;
    return this.graph.scalar(value, this.floatType, bits);
  }

  /** A tensor in the type of the activations; asking again gives the same one. */
  tensor(weight: string, dims: readonly number[]): string {
    if (this.known.has(weight)) return weight;
    this.known.add(weight);
    const asInput = this.kind === 'inputs' || (this.biasInputs && weight.endsWith('.bias'));
    if (asInput) return this.graph.input(weight, this.floatType, dims);
    return this.plan(weight, dims, { from: 'weight', weight, as: this.halfOrSingle });
  }

  rope(table: 'cos' | 'sin', dims: readonly number[]): string {
    const name = `${table}_cache`;
    if (this.kind === 'inputs') return this.graph.input(name, this.floatType, dims);
    return this.plan(name, dims, { from: 'rope', table, as: this.halfOrSingle });
  }

  /** 4-bit blocks along the input features, and one scale a block: what MatMulNBits reads. */
  quantized(weight: string, outFeatures: number, inFeatures: number): [string, string] {
    const blocks = Math.ceil(inFeatures / Q4_BLOCK);
    const values: PlannedTensor = {
      name: `${weight}_q4`,
      elementType: UINT8,
      dims: [outFeatures, blocks, Q4_BLOCK / 2],
      recipe: { from: 'weight', weight, as: 'q4', inFeatures },
    };
    const scales: PlannedTensor = {
      name: `${weight}_scales`,
      elementType: FLOAT,
      dims: [outFeatures * blocks],
      recipe: { from: 'weight', weight, as: 'q4-scales', inFeatures },
    };
    for (const tensor of [values, scales]) {
      this.planned.push(tensor);
      this.graph.externalTensor(tensor.name, tensor.elementType, tensor.dims);
    }
    return [values.name, scales.name];
  }

  /**
   * 4 bits in NF4 as bitsandbytes packs them, row after row, and a magnitude for each block: what MatMulBnb4
   * reads. Graph inputs under the checkpoint's name and bitsandbytes' name for the magnitudes.
   */
  nf4(weight: string, outFeatures: number, inFeatures: number): [string, string] {
    const count = outFeatures * inFeatures;
    return [
      this.graph.input(weight, UINT8, [count / 2]),
      this.graph.input(absmaxKey(weight), FLOAT, [count / NF4_BLOCK]),
    ];
  }

  private get halfOrSingle(): 'f16' | 'f32' {
    return this.dtype === 'fp16' ? 'f16' : 'f32';
  }

  private plan(name: string, dims: readonly number[], recipe: Recipe): string {
    this.planned.push({ name, elementType: this.floatType, dims, recipe });
    return this.graph.externalTensor(name, this.floatType, dims);
  }
}
