/**
 * The bytes of a ModelProto to an OnnxModel: for tests, and for checking a file before it is offered.
 * Tensor data are views of the input, not copies. Fields this room does not model are skipped;
 * tensors in a form it does not read are refused by name.
 */
import { describeValue } from '../describe';
import { FormatError } from '../errors';
import { ProtobufReader } from './protobuf';
import {
  isOnnxElementType,
  onnxByteLength,
  type OnnxAttribute,
  type OnnxDim,
  type OnnxElementType,
  type OnnxGraph,
  type OnnxInt,
  type OnnxModel,
  type OnnxNode,
  type OnnxOpset,
  type OnnxTensor,
  type ValueInfo,
} from './types';

/** `If` inside `Loop` inside `Scan` is as deep as real models go; the bound keeps the stack small. */
const MAX_GRAPH_DEPTH = 8;

export function parseOnnx(bytes: Uint8Array): OnnxModel {
  const reader = new ProtobufReader(bytes, '');
  const opsets: OnnxOpset[] = [];
  const metadata = new Map<string, string>();
  let irVersion: number | undefined;
  let producerName: string | undefined;
  let producerVersion: string | undefined;
  let graph: OnnxGraph | undefined;
  while (reader.next()) {
    if (reader.field === 1) irVersion = reader.safeInt();
    else if (reader.field === 2) producerName = reader.string();
    else if (reader.field === 3) producerVersion = reader.string();
    else if (reader.field === 7) graph = readGraph(reader.message('graph'), 0);
    else if (reader.field === 8) opsets.push(readOpset(reader.message('opset_import')));
    else if (reader.field === 14) metadata.set(...readEntry(reader.message('metadata_props')));
    else reader.skip();
  }
  if (!graph) {
    throw new FormatError(
      'wrong-format',
      `the file holds no ONNX graph (${bytes.byteLength} bytes read); it is not an ONNX model.`,
    );
  }
  return {
    ...(irVersion === undefined ? {} : { irVersion }),
    ...(producerName === undefined ? {} : { producerName }),
    ...(producerVersion === undefined ? {} : { producerVersion }),
    opsets,
    graph,
    ...(metadata.size === 0 ? {} : { metadata: Object.fromEntries(metadata) }),
  };
}

function readGraph(reader: ProtobufReader, depth: number): OnnxGraph {
  if (depth > MAX_GRAPH_DEPTH) reader.fail('unsupported', `graphs nested ${depth} deep`);
  const nodes: OnnxNode[] = [];
  const inputs: ValueInfo[] = [];
  const outputs: ValueInfo[] = [];
  const valueInfos: ValueInfo[] = [];
  const initializers: OnnxTensor[] = [];
  let name = '';
  while (reader.next()) {
    if (reader.field === 1) nodes.push(readNode(reader.message('node'), depth));
    else if (reader.field === 2) name = reader.string();
    else if (reader.field === 5) initializers.push(readTensor(reader.message('initializer')));
    else if (reader.field === 11) inputs.push(...readValueInfo(reader.message('input')));
    else if (reader.field === 12) outputs.push(...readValueInfo(reader.message('output')));
    else if (reader.field === 13) valueInfos.push(...readValueInfo(reader.message('value_info')));
    else reader.skip();
  }
  return {
    name,
    nodes,
    inputs,
    outputs,
    initializers,
    ...(valueInfos.length === 0 ? {} : { valueInfos }),
  };
}

function readNode(reader: ProtobufReader, depth: number): OnnxNode {
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes: OnnxAttribute[] = [];
  let name = '';
  let opType = '';
  let domain = '';
  while (reader.next()) {
    if (reader.field === 1) inputs.push(reader.string());
    else if (reader.field === 2) outputs.push(reader.string());
    else if (reader.field === 3) name = reader.string();
    else if (reader.field === 4) opType = reader.string();
    else if (reader.field === 5) attributes.push(readAttribute(reader.message('attribute'), depth));
    else if (reader.field === 7) domain = reader.string();
    else reader.skip();
  }
  return {
    name,
    opType,
    ...(domain === '' ? {} : { domain }),
    inputs,
    outputs,
    ...(attributes.length === 0 ? {} : { attributes }),
  };
}

function readAttribute(reader: ProtobufReader, depth: number): OnnxAttribute {
  let name = '';
  let type = 0;
  let float = 0;
  let int: OnnxInt = 0;
  let string = '';
  let tensor: OnnxTensor | undefined;
  let graph: OnnxGraph | undefined;
  const floats: number[] = [];
  const ints: OnnxInt[] = [];
  const strings: string[] = [];
  while (reader.next()) {
    if (reader.field === 1) name = reader.string();
    else if (reader.field === 2) float = reader.float();
    else if (reader.field === 3) int = reader.int();
    else if (reader.field === 4) string = reader.string();
    else if (reader.field === 5) tensor = readTensor(reader.message('t'));
    else if (reader.field === 6) graph = readGraph(reader.message('g'), depth + 1);
    else if (reader.field === 7) reader.floats(floats);
    else if (reader.field === 8) reader.ints(ints);
    else if (reader.field === 9) strings.push(reader.string());
    else if (reader.field === 20) type = reader.safeInt();
    else reader.skip();
  }
  if (type === 1) return { name, kind: 'float', value: float };
  if (type === 2) return { name, kind: 'int', value: int };
  if (type === 3) return { name, kind: 'string', value: string };
  if (type === 4 && tensor) return { name, kind: 'tensor', value: tensor };
  if (type === 5 && graph) return { name, kind: 'graph', value: graph };
  if (type === 6) return { name, kind: 'floats', value: floats };
  if (type === 7) return { name, kind: 'ints', value: ints };
  if (type === 8) return { name, kind: 'strings', value: strings };
  return reader.fail('unsupported', `attribute ${describeValue(name)} of type ${type}`);
}

function readTensor(reader: ProtobufReader): OnnxTensor {
  const dimensions: OnnxInt[] = [];
  const typed = { floats: [] as number[], int32s: [] as OnnxInt[], int64s: [] as OnnxInt[] };
  const entries = new Map<string, string>();
  let name = '';
  let type = 0;
  let raw: Uint8Array | undefined;
  let isExternal = false;
  while (reader.next()) {
    if (reader.field === 1) reader.ints(dimensions);
    else if (reader.field === 2) type = reader.safeInt();
    else if (reader.field === 4) reader.floats(typed.floats);
    else if (reader.field === 5) reader.ints(typed.int32s);
    else if (reader.field === 7) reader.ints(typed.int64s);
    else if (reader.field === 8) name = reader.string();
    else if (reader.field === 9) raw = reader.raw();
    else if (reader.field === 13) entries.set(...readEntry(reader.message('external_data')));
    else if (reader.field === 14) isExternal = reader.safeInt() === 1;
    else reader.skip();
  }
  const elementType = checkType(reader, type, name);
  const dims = dimensions.map(Number);
  const expected = onnxByteLength(elementType, dims);
  if (expected === undefined) {
    reader.fail('unsupported', `tensor ${describeValue(name)} of dims ${describeValue(dims)}`);
  }
  if (isExternal) {
    const location = entries.get('location') ?? '';
    const offset = readCount(entries.get('offset') ?? '0');
    const length = readCount(entries.get('length') ?? String(expected));
    if (!/^[^/\\\0]+$/.test(location) || location === '..' || length !== expected || offset < 0) {
      reader.fail(
        'corrupt',
        `tensor ${describeValue(name)} in external file ${describeValue(location)} at ${offset} with ${length} bytes where ${expected} are needed (a file name without a folder is allowed)`,
      );
    }
    return { name, elementType, dims, external: { location, offset, length } };
  }
  const data = raw ?? packTyped(elementType, typed);
  if (data.byteLength !== expected) {
    reader.fail(
      'corrupt',
      `tensor ${describeValue(name)} with ${data.byteLength} bytes where ${expected} are needed`,
    );
  }
  return { name, elementType, dims, data };
}

/** `float_data`, `int32_data` or `int64_data` as the bytes that `raw_data` would hold. */
function packTyped(
  type: OnnxElementType,
  typed: { floats: number[]; int32s: OnnxInt[]; int64s: OnnxInt[] },
): Uint8Array {
  if (type === 1) return new Uint8Array(Float32Array.from(typed.floats).buffer);
  if (type === 7) return new Uint8Array(BigInt64Array.from(typed.int64s, BigInt).buffer);
  const values = typed.int32s.map(Number);
  if (type === 6) return new Uint8Array(Int32Array.from(values).buffer);
  if (type === 10 || type === 16 || type === 4 || type === 5) {
    return new Uint8Array(Uint16Array.from(values).buffer);
  }
  return Uint8Array.from(values);
}

function readValueInfo(reader: ProtobufReader): ValueInfo[] {
  let name = '';
  let elementType: OnnxElementType | undefined;
  let shape: OnnxDim[] | undefined;
  while (reader.next()) {
    if (reader.field === 1) name = reader.string();
    else if (reader.field === 2) {
      const type = reader.message('type');
      while (type.next()) {
        if (type.field !== 1) {
          type.skip();
          continue;
        }
        const tensor = type.message('tensor_type');
        while (tensor.next()) {
          if (tensor.field === 1) elementType = checkType(tensor, tensor.safeInt(), name);
          else if (tensor.field === 2) shape = readShape(tensor.message('shape'));
          else tensor.skip();
        }
      }
    } else reader.skip();
  }
  // A sequence, a map, or a value whose type was not inferred: nothing this room can describe.
  if (elementType === undefined) return [];
  return [{ name, elementType, ...(shape === undefined ? {} : { shape }) }];
}

function readShape(reader: ProtobufReader): OnnxDim[] {
  const shape: OnnxDim[] = [];
  while (reader.next()) {
    if (reader.field !== 1) {
      reader.skip();
      continue;
    }
    const dim = reader.message('dim');
    let value: OnnxDim = null;
    while (dim.next()) {
      if (dim.field === 1) value = dim.safeInt();
      else if (dim.field === 2) value = dim.string();
      else dim.skip();
    }
    shape.push(value);
  }
  return shape;
}

function readOpset(reader: ProtobufReader): OnnxOpset {
  let domain = '';
  let version = 0;
  while (reader.next()) {
    if (reader.field === 1) domain = reader.string();
    else if (reader.field === 2) version = reader.safeInt();
    else reader.skip();
  }
  return { domain, version };
}

function readEntry(reader: ProtobufReader): [string, string] {
  let key = '';
  let value = '';
  while (reader.next()) {
    if (reader.field === 1) key = reader.string();
    else if (reader.field === 2) value = reader.string();
    else reader.skip();
  }
  return [key, value];
}

function checkType(reader: ProtobufReader, type: number, name: string): OnnxElementType {
  if (isOnnxElementType(type)) return type;
  return reader.fail('unsupported', `${describeValue(name)} of element type ${type}`);
}

/** -1 for what is no count that a number holds exactly. */
function readCount(text: string): number {
  const count = /^\d{1,16}$/.test(text) ? Number(text) : -1;
  return Number.isSafeInteger(count) ? count : -1;
}
