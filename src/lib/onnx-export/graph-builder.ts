/**
 * A tape of ONNX nodes: names values after the nodes that make them, shares equal constants, and
 * checks that every value is made once and before it is used. Knows nothing of models.
 */
import {
  layoutExternalData,
  ONNX_ELEMENT_TYPE,
  onnxByteLength,
  type OnnxAttribute,
  type OnnxDim,
  type OnnxElementType,
  type OnnxGraph,
  type OnnxNode,
  type OnnxTensor,
} from '../formats';
import { ExportError } from './errors';

export const FLOAT = ONNX_ELEMENT_TYPE.FLOAT;
export const FLOAT16 = ONNX_ELEMENT_TYPE.FLOAT16;
export const INT64 = ONNX_ELEMENT_TYPE.INT64;
export const INT32 = ONNX_ELEMENT_TYPE.INT32;
export const UINT8 = ONNX_ELEMENT_TYPE.UINT8;

/** Operators of ONNX Runtime that the standard lacks. */
export const MICROSOFT = 'com.microsoft';

export interface ExternalTensor {
  readonly name: string;
  readonly elementType: OnnxElementType;
  readonly dims: readonly number[];
}

interface NodeOptions {
  domain?: string;
  /** A number with a whole value is an int unless it is wrapped by `float`. */
  attributes?: Readonly<Record<string, number | FloatAttribute>>;
  /** Names of the outputs; one, named after the node, when left out. '' leaves one out. */
  outputs?: readonly string[];
}

export interface FloatAttribute {
  readonly float: number;
}

/** Rounded here as the file stores it, so that what is read back is what was emitted. */
export const float = (value: number): FloatAttribute => ({ float: Math.fround(value) });

export class GraphBuilder {
  private readonly nodes: OnnxNode[] = [];
  private readonly inputs: OnnxGraph['inputs'][number][] = [];
  private readonly outputs: OnnxGraph['outputs'][number][] = [];
  private readonly constants: OnnxTensor[] = [];
  private readonly external: ExternalTensor[] = [];
  private readonly defined = new Set<string>();
  private readonly nodeNames = new Set<string>();

  /** @returns the name of the first output, `path/output_0` */
  node(path: string, opType: string, inputs: readonly string[], options: NodeOptions = {}): string {
    const { domain, attributes = {}, outputs = [`${path}/output_0`] } = options;
    if (this.nodeNames.has(path)) throw badGraph(`two nodes are named ${path}`);
    this.nodeNames.add(path);
    for (const input of inputs)
      if (input !== '' && !this.defined.has(input))
        throw badGraph(`${path} reads ${input}, which nothing makes before it`);
    for (const output of outputs) if (output !== '') this.define(output);
    const listed = Object.entries(attributes).map(([name, value]): OnnxAttribute =>
      typeof value === 'number'
        ? { name, kind: 'int', value }
        : { name, kind: 'float', value: value.float },
    );
    this.nodes.push({
      name: path,
      opType,
      inputs,
      outputs,
      ...(domain ? { domain } : {}),
      ...(listed.length > 0 ? { attributes: listed } : {}),
    });
    return outputs[0];
  }

  input(name: string, elementType: OnnxElementType, shape: readonly OnnxDim[]): string {
    this.define(name);
    this.inputs.push({ name, elementType, shape });
    return name;
  }

  /** Declares a value that a node has made. */
  output(name: string, elementType: OnnxElementType, shape: readonly OnnxDim[]): void {
    if (!this.defined.has(name)) throw badGraph(`nothing makes the output ${name}`);
    this.outputs.push({ name, elementType, shape });
  }

  /** A tensor in the external data file, in the order of these calls. */
  externalTensor(name: string, elementType: OnnxElementType, dims: readonly number[]): string {
    this.define(name);
    this.external.push({ name, elementType, dims });
    return name;
  }

  /** An int64 constant of one dimension, or a scalar for a plain number. */
  int64(value: number | readonly number[]): string {
    const values = typeof value === 'number' ? [value] : value;
    const dims = typeof value === 'number' ? [] : [values.length];
    const name = `/constants/int64/${dims.length === 0 ? '' : 'list/'}${values.join(',')}`;
    return this.constant(name, INT64, dims, new BigInt64Array(values.map(BigInt)));
  }

  /** A scalar of a float type. */
  scalar(value: number, elementType: typeof FLOAT | typeof FLOAT16, bits: ArrayBufferView): string {
    return this.constant(
      `/constants/${elementType === FLOAT ? 'float' : 'float16'}/${value}`,
      elementType,
      [],
      bits,
    );
  }

  /** @param dataFile name of the external data file beside the model */
  finish(name: string, dataFile: string): OnnxGraph {
    const sized = this.external.map((tensor) => ({ ...tensor, sizeBytes: externalBytes(tensor) }));
    const layout = layoutExternalData(sized);
    const initializers = sized.map(({ name, elementType, dims, sizeBytes }): OnnxTensor => {
      const offset = layout.offsets.get(name) ?? 0;
      const external = { location: dataFile, offset, length: sizeBytes };
      return { name, elementType, dims, external };
    });
    return {
      name,
      nodes: this.nodes,
      inputs: this.inputs,
      outputs: this.outputs,
      initializers: [...this.constants, ...initializers],
    };
  }

  private constant(
    name: string,
    elementType: OnnxElementType,
    dims: readonly number[],
    values: ArrayBufferView,
  ): string {
    if (this.defined.has(name)) return name;
    this.define(name);
    const data = new Uint8Array(values.buffer, values.byteOffset, values.byteLength).slice();
    this.constants.push({ name, elementType, dims, data });
    return name;
  }

  private define(name: string): void {
    if (this.defined.has(name)) throw badGraph(`${name} is made twice`);
    this.defined.add(name);
  }
}

/** @throws ExportError `unsupported-model` for a tensor without a safe size */
export function externalBytes({ name, elementType, dims }: ExternalTensor): number {
  const size = onnxByteLength(elementType, dims);
  if (size === undefined)
    throw new ExportError('unsupported-model', `${name} of shape [${dims}] is too large to write.`);
  return size;
}

const badGraph = (what: string) => new ExportError('bad-graph', `Emitting ONNX: ${what}.`);
