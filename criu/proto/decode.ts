import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { ImageError } from '../image-error.ts';
import type { Decoded, DecodedMessage, DecodedValue, Field, FieldType, MessageType } from './message.ts';

/** Where the bytes of a message stand: for the one line that an ImageError has. */
export interface Place {
  readonly file: string;
  readonly offset: number;
}

/**
 * A message of `type` from its protobuf (proto2) encoding. The fields come in the order of their tags. Unlike protobuf's own
 * readers this one refuses fields and enum values that the rows do not have: a restore must not lose what it does not know.
 */
export function decode<M extends MessageType>(type: M, bytes: Uint8Array, place: Place): Decoded<M> {
  return decodeMessage(type, bytes, place) as Decoded<M>;
}

function decodeMessage(type: MessageType, bytes: Uint8Array, place: Place): DecodedMessage {
  const found = new Map<string, DecodedValue | DecodedValue[]>();
  const reader = new BinaryReader(bytes);
  const fail = (at: number, text: string): never => {
    throw new ImageError(place.file, place.offset + at, `${type.name}: ${text}`);
  };
  while (reader.pos < reader.len) {
    const at = reader.pos;
    let name = 'a field';
    try {
      const [tag, wire] = reader.tag();
      const entry = Object.entries(type.fields).find(([, field]) => field.tag === tag);
      if (entry === undefined) {
        return fail(at, `unknown field with tag ${tag}`);
      }
      name = entry[0];
      const field = entry[1];
      const packed = wire === WireType.LengthDelimited && wireType(field.type) !== WireType.LengthDelimited;
      if (packed ? field.label !== 'repeated' : wire !== wireType(field.type)) {
        return fail(at, `field ${name} has wire type ${wire}, expected ${wireType(field.type)}`);
      }
      const values = packed ? readPacked(field, reader, place) : [readValue(field.type, reader, place)];
      const last = values.at(-1);
      if (field.label === 'repeated') {
        const list = found.get(name);
        found.set(name, Array.isArray(list) ? [...list, ...values] : values);
      } else if (last !== undefined) {
        found.set(name, last);
      }
    } catch (error) {
      if (error instanceof ImageError) {
        throw error;
      }
      return fail(at, `corrupt protobuf in ${name} (${error instanceof Error ? error.message : String(error)})`);
    }
  }
  const result: DecodedMessage = {};
  for (const [name, field] of Object.entries(type.fields).sort((a, b) => a[1].tag - b[1].tag)) {
    const value = found.get(name);
    if (value !== undefined) {
      result[name] = value;
    } else if (field.label === 'repeated') {
      result[name] = [];
    } else if (field.label === 'required') {
      fail(0, `the required field ${name} is missing`);
    }
  }
  return result;
}

function wireType(type: FieldType): WireType {
  if (type === 'fixed64') {
    return WireType.Bit64;
  }
  const inside = type === 'string' || type === 'bytes' || typeof type === 'function';
  return inside || (typeof type === 'object' && type.kind === 'message') ? WireType.LengthDelimited : WireType.Varint;
}

function readPacked(field: Field, reader: BinaryReader, place: Place): DecodedValue[] {
  const bytes = reader.bytes();
  const start = place.offset + reader.pos - bytes.length;
  const inner = new BinaryReader(bytes);
  const values: DecodedValue[] = [];
  while (inner.pos < inner.len) {
    values.push(readValue(field.type, inner, { file: place.file, offset: start }));
  }
  return values;
}

function readValue(type: FieldType, reader: BinaryReader, place: Place): DecodedValue {
  if (typeof type === 'function') {
    return readNested(type(), reader, place);
  }
  if (typeof type === 'object') {
    if (type.kind === 'message') {
      return readNested(type, reader, place);
    }
    const at = reader.pos;
    const value = reader.int32();
    if (!Object.values(type.values).includes(value)) {
      throw new ImageError(place.file, place.offset + at, `unknown value ${value} of ${type.name}`);
    }
    return value;
  }
  switch (type) {
    case 'int32':
      return reader.int32();
    case 'uint32':
      return reader.uint32();
    case 'sint32':
      return reader.sint32();
    case 'int64':
      return BigInt(reader.int64());
    case 'sint64':
      return BigInt(reader.sint64());
    case 'uint64':
      return BigInt(reader.uint64());
    case 'fixed64':
      return BigInt(reader.fixed64());
    case 'bool':
      return reader.bool();
    case 'string':
      return reader.string(true);
    case 'bytes':
      return reader.bytes();
  }
}

function readNested(type: MessageType, reader: BinaryReader, place: Place): DecodedMessage {
  const bytes = reader.bytes();
  return decodeMessage(type, bytes, { file: place.file, offset: place.offset + reader.pos - bytes.length });
}
