/**
 * An OnnxModel to the bytes of a ModelProto. Fields are written in the order of their numbers and
 * repeated numbers unpacked, as onnx.proto (proto2) is serialised by Google's library: the bytes
 * equal those of the Python package.
 */
import { describeValue } from '../describe';
import { FormatError } from '../errors';
import { ProtobufWriter } from './protobuf';
import {
  onnxByteLength,
  type OnnxAttribute,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type ValueInfo,
} from './types';

/** The first IR version with 4-bit integers that ONNX Runtime 1.30 and 1.31 both load. */
export const DEFAULT_IR_VERSION = 10;

/** `AttributeProto.AttributeType`. */
export const ATTRIBUTE_TYPE = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
  strings: 8,
} as const;

export function serializeOnnx(model: OnnxModel): Uint8Array<ArrayBuffer> {
  const writer = new ProtobufWriter();
  writer.int(1, model.irVersion ?? DEFAULT_IR_VERSION);
  if (model.producerName !== undefined) writer.string(2, model.producerName);
  if (model.producerVersion !== undefined) writer.string(3, model.producerVersion);
  writer.message(7, (w) => writeGraph(w, model.graph));
  for (const { domain, version } of model.opsets) {
    writer.message(8, (w) => w.string(1, domain).int(2, version));
  }
  for (const [key, value] of Object.entries(model.metadata ?? {})) {
    writer.message(14, (w) => w.string(1, key).string(2, value));
  }
  return writer.finish();
}

function writeGraph(writer: ProtobufWriter, graph: OnnxGraph): void {
  for (const node of graph.nodes) writer.message(1, (w) => writeNode(w, node));
  writer.string(2, graph.name);
  for (const tensor of graph.initializers) writer.message(5, (w) => writeTensor(w, tensor));
  for (const info of graph.inputs) writer.message(11, (w) => writeValueInfo(w, info));
  for (const info of graph.outputs) writer.message(12, (w) => writeValueInfo(w, info));
  for (const info of graph.valueInfos ?? []) writer.message(13, (w) => writeValueInfo(w, info));
}

function writeNode(writer: ProtobufWriter, node: OnnxNode): void {
  for (const input of node.inputs) writer.string(1, input);
  for (const output of node.outputs) writer.string(2, output);
  if (node.name !== '') writer.string(3, node.name);
  writer.string(4, node.opType);
  for (const attribute of node.attributes ?? []) {
    writer.message(5, (w) => writeAttribute(w, attribute, node.name));
  }
  if (node.domain) writer.string(7, node.domain);
}

function writeAttribute(writer: ProtobufWriter, attribute: OnnxAttribute, node: string): void {
  writer.string(1, attribute.name);
  switch (attribute.kind) {
    case 'float':
      writer.float(2, attribute.value);
      break;
    case 'int':
      writer.int(3, integer(attribute.value, attribute.name, node));
      break;
    case 'string':
      writer.string(4, attribute.value);
      break;
    case 'tensor':
      writer.message(5, (w) => writeTensor(w, attribute.value));
      break;
    case 'graph':
      writer.message(6, (w) => writeGraph(w, attribute.value));
      break;
    case 'floats':
      for (const value of attribute.value) writer.float(7, value);
      break;
    case 'ints':
      for (const value of attribute.value) writer.int(8, integer(value, attribute.name, node));
      break;
    case 'strings':
      for (const value of attribute.value) writer.string(9, value);
      break;
  }
  writer.int(20, ATTRIBUTE_TYPE[attribute.kind]);
}

function integer(value: number | bigint, attribute: string, node: string): number | bigint {
  if (typeof value === 'bigint' || Number.isSafeInteger(value)) return value;
  throw new FormatError(
    'invalid-value',
    `attribute ${describeValue(attribute)} of node ${describeValue(node)} is ${value}; an integer is allowed.`,
  );
}

function writeTensor(writer: ProtobufWriter, tensor: OnnxTensor): void {
  const expected = onnxByteLength(tensor.elementType, tensor.dims);
  const found = tensor.external ? tensor.external.length : tensor.data.byteLength;
  if (expected === undefined || expected !== found) {
    throw new FormatError(
      'invalid-value',
      `ONNX tensor ${describeValue(tensor.name)} has ${found} bytes; dims ${describeValue(tensor.dims)} of element type ${tensor.elementType} take ${expected ?? 'no size in bytes'}.`,
    );
  }
  for (const dim of tensor.dims) writer.int(1, dim);
  writer.int(2, tensor.elementType);
  writer.string(8, tensor.name);
  if (!tensor.external) {
    writer.raw(9, tensor.data);
    return;
  }
  const { location, offset, length } = tensor.external;
  const entries = { location, offset: String(offset), length: String(length) };
  for (const [key, value] of Object.entries(entries)) {
    writer.message(13, (w) => w.string(1, key).string(2, value));
  }
  writer.int(14, 1);
}

function writeValueInfo(writer: ProtobufWriter, info: ValueInfo): void {
  const { shape } = info;
  writer.string(1, info.name);
  writer.message(2, (type) =>
    type.message(1, (tensor) => {
      tensor.int(1, info.elementType);
      if (shape === undefined) return;
      tensor.message(2, (dims) => {
        for (const dim of shape) {
          dims.message(1, (w) => {
            if (typeof dim === 'number') w.int(1, dim);
            else if (dim !== null) w.string(2, dim);
          });
        }
      });
    }),
  );
}
