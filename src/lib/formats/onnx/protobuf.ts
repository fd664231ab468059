/**
 * The protobuf wire format: varints, fixed 32 and 64 bits, length-delimited fields. Knows no message.
 * Reading copies nothing and trusts no length. https://protobuf.dev/programming-guides/encoding
 */
import { FormatError } from '../errors';

export const WIRE = { VARINT: 0, FIXED64: 1, BYTES: 2, FIXED32: 5 } as const;
export type WireType = (typeof WIRE)[keyof typeof WIRE];

/** Readers of protobuf count bytes in signed 32 bits: larger messages cannot be loaded anywhere. */
export const MAX_MESSAGE_BYTES = 2 ** 31 - 1;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** Larger values are kept as they are until `finish`: weights are copied once, however deep they lie. */
const KEPT_APART_BYTES = 1 << 12;

export class ProtobufWriter {
  /** What is finished, in order; the rest of the message lies in `bytes`. */
  private parts: Uint8Array[] = [];
  private partsLength = 0;
  private bytes = new Uint8Array(256);
  private view = new DataView(this.bytes.buffer);
  private length = 0;

  /** A field of integer kind. Negative numbers take ten bytes, as int64 does. */
  int(field: number, value: number | bigint): this {
    return this.tag(field, WIRE.VARINT).varint(value);
  }

  float(field: number, value: number): this {
    this.tag(field, WIRE.FIXED32).reserve(4);
    this.view.setFloat32(this.length, value, true);
    this.length += 4;
    return this;
  }

  string(field: number, value: string): this {
    return this.raw(field, encoder.encode(value));
  }

  raw(field: number, value: Uint8Array): this {
    this.tag(field, WIRE.BYTES).varint(value.byteLength);
    if (value.byteLength >= KEPT_APART_BYTES) return this.keep([value], value.byteLength);
    this.reserve(value.byteLength);
    this.bytes.set(value, this.length);
    this.length += value.byteLength;
    return this;
  }

  message(field: number, write: (writer: ProtobufWriter) => void): this {
    const inner = new ProtobufWriter();
    write(inner);
    if (inner.partsLength === 0) return this.raw(field, inner.bytes.subarray(0, inner.length));
    inner.endPart();
    this.tag(field, WIRE.BYTES).varint(inner.partsLength);
    return this.keep(inner.parts, inner.partsLength);
  }

  /** The bytes written, in an array of their own. */
  finish(): Uint8Array<ArrayBuffer> {
    this.endPart();
    const whole = new Uint8Array(this.partsLength);
    let at = 0;
    for (const part of this.parts) {
      whole.set(part, at);
      at += part.byteLength;
    }
    return whole;
  }

  private keep(parts: readonly Uint8Array[], sizeBytes: number): this {
    this.endPart();
    for (const part of parts) this.parts.push(part);
    this.partsLength += sizeBytes;
    if (this.partsLength > MAX_MESSAGE_BYTES) {
      throw new FormatError(
        'too-large',
        `a protobuf message may have ${MAX_MESSAGE_BYTES} bytes and ${this.partsLength} are needed; put weights into external data.`,
      );
    }
    return this;
  }

  private endPart(): void {
    if (this.length === 0) return;
    this.parts.push(this.bytes.subarray(0, this.length));
    this.partsLength += this.length;
    this.bytes = new Uint8Array(256);
    this.view = new DataView(this.bytes.buffer);
    this.length = 0;
  }

  private tag(field: number, wire: WireType): this {
    return this.varint(field * 8 + wire);
  }

  private varint(value: number | bigint): this {
    this.reserve(10);
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) {
      let rest = value;
      while (rest > 0x7f) {
        this.bytes[this.length++] = (rest % 0x80) | 0x80;
        rest = Math.floor(rest / 0x80);
      }
      this.bytes[this.length++] = rest;
      return this;
    }
    if (typeof value === 'number' && !Number.isSafeInteger(value)) {
      throw new FormatError(
        'invalid-value',
        `${value} is no integer that a varint can hold exactly; pass a bigint.`,
      );
    }
    const wide = BigInt(value);
    if (wide < -(2n ** 63n) || wide >= 2n ** 63n) {
      throw new FormatError('invalid-value', `${wide} does not fit into a signed 64-bit integer.`);
    }
    let bits = BigInt.asUintN(64, wide);
    while (bits > 0x7fn) {
      this.bytes[this.length++] = Number(bits & 0x7fn) | 0x80;
      bits >>= 7n;
    }
    this.bytes[this.length++] = Number(bits);
    return this;
  }

  private reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.byteLength) return;
    const grown = new Uint8Array(Math.max(needed, this.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }
}

/** Walks one message. Call `next` until false, then read or `skip` the field it stands on. */
export class ProtobufReader {
  field = 0;
  wire: WireType = WIRE.VARINT;
  private position = 0;
  private readonly view: DataView;

  constructor(
    private readonly bytes: Uint8Array,
    /** Path for messages, such as `graph.node`. */
    readonly path: string,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  next(): boolean {
    if (this.position >= this.bytes.byteLength) return false;
    const tag = this.varint();
    this.field = Number(tag >> 3n);
    const wire = Number(tag & 7n);
    if (this.field < 1 || this.field > 2 ** 29 - 1) this.fail('corrupt', `field ${this.field}`);
    if (
      wire !== WIRE.VARINT &&
      wire !== WIRE.FIXED64 &&
      wire !== WIRE.BYTES &&
      wire !== WIRE.FIXED32
    ) {
      this.fail('corrupt', `wire type ${wire}`);
    }
    this.wire = wire as WireType;
    return true;
  }

  /** A signed 64-bit integer: a number where it is safe, otherwise a bigint. */
  int(): number | bigint {
    this.expect(WIRE.VARINT);
    return toInt(this.varint());
  }

  /** An integer that must be safe, such as a size or an enum. */
  safeInt(): number {
    const value = this.int();
    if (typeof value === 'bigint') this.fail('corrupt', `the integer ${value}`);
    return value as number;
  }

  float(): number {
    this.expect(WIRE.FIXED32);
    const value = this.view.getFloat32(this.take(4), true);
    return value;
  }

  raw(): Uint8Array {
    this.expect(WIRE.BYTES);
    const length = this.varint();
    const left = this.bytes.byteLength - this.position;
    if (length > BigInt(left)) {
      this.fail('truncated', `a length of ${length} bytes where ${left} are left`);
    }
    const start = this.take(Number(length));
    return this.bytes.subarray(start, start + Number(length));
  }

  string(): string {
    const bytes = this.raw();
    try {
      return decoder.decode(bytes);
    } catch {
      return this.fail('corrupt', 'text that is not UTF-8');
    }
  }

  message(name: string): ProtobufReader {
    return new ProtobufReader(this.raw(), this.path === '' ? name : `${this.path}.${name}`);
  }

  /** A repeated integer field, packed or not: appends what this occurrence holds. */
  ints(into: (number | bigint)[]): void {
    if (this.wire !== WIRE.BYTES) {
      into.push(this.int());
      return;
    }
    const packed = new ProtobufReader(this.raw(), this.path);
    while (packed.position < packed.bytes.byteLength) into.push(toInt(packed.varint()));
  }

  /** A repeated float field, packed or not. */
  floats(into: number[]): void {
    if (this.wire !== WIRE.BYTES) {
      into.push(this.float());
      return;
    }
    const bytes = this.raw();
    if (bytes.byteLength % 4 !== 0) this.fail('corrupt', `${bytes.byteLength} bytes of floats`);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let i = 0; i < bytes.byteLength; i += 4) into.push(view.getFloat32(i, true));
  }

  skip(): void {
    if (this.wire === WIRE.VARINT) this.varint();
    else if (this.wire === WIRE.BYTES) this.raw();
    else this.take(this.wire === WIRE.FIXED64 ? 8 : 4);
  }

  fail(code: 'corrupt' | 'truncated' | 'unsupported', found: string): never {
    throw new FormatError(
      code,
      `${this.path || 'the model'} (field ${this.field}, near byte ${this.position}) has ${found}; this is no valid ONNX protobuf.`,
    );
  }

  private expect(wire: WireType): void {
    if (this.wire !== wire)
      this.fail('corrupt', `wire type ${this.wire} where ${wire} is expected`);
  }

  private take(count: number): number {
    const start = this.position;
    if (start + count > this.bytes.byteLength) this.fail('truncated', 'its end inside a value');
    this.position = start + count;
    return start;
  }

  private varint(): bigint {
    let low = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.bytes[this.take(1)];
      low |= (byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt(low);
    }
    let value = BigInt(low);
    for (let shift = 28n; shift < 70n; shift += 7n) {
      const byte = this.bytes[this.take(1)];
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    return this.fail('corrupt', 'a varint longer than ten bytes');
  }
}

function toInt(bits: bigint): number | bigint {
  const value = BigInt.asIntN(64, bits);
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
