/**
 * What an image message is: rows of name, tag, type and label, as in CRIU's images/*.proto, and how `crit --pretty` shows
 * the field. Decoder, printer and TypeScript types all derive from the rows.
 */

export type ScalarType =
  | 'int32'
  | 'uint32'
  | 'sint32'
  | 'int64'
  | 'sint64'
  | 'uint64'
  | 'fixed64'
  | 'bool'
  | 'string'
  | 'bytes';

export interface EnumType {
  readonly kind: 'enum';
  readonly name: string;
  readonly values: Readonly<Record<string, number>>;
}

export interface MessageType<F extends Fields = Fields> {
  readonly kind: 'message';
  readonly name: string;
  readonly fields: F;
}

/** How the value is shown; a `hex` on a message field holds for all that is inside. */
export type Show =
  | { readonly as: 'hex' | 'ip' | 'dev' | 'odev' | 'unix-name' }
  | { readonly as: 'flags'; readonly bits: readonly (readonly [name: string, bit: number])[] }
  | { readonly as: 'names'; readonly names: Readonly<Record<number, string>> };

export type FieldType = ScalarType | EnumType | MessageType | (() => MessageType);
export type Label = 'required' | 'optional' | 'repeated';

export interface Field<T extends FieldType = FieldType, L extends Label = Label> {
  readonly tag: number;
  readonly type: T;
  readonly label: L;
  readonly show: Show | undefined;
}

export type Fields = Readonly<Record<string, Field>>;

type Value<T> = T extends 'int32' | 'uint32' | 'sint32'
  ? number
  : T extends 'int64' | 'sint64' | 'uint64' | 'fixed64'
    ? bigint
    : T extends 'bool'
      ? boolean
      : T extends 'string'
        ? string
        : T extends 'bytes'
          ? Uint8Array
          : T extends EnumType
            ? number
            : T extends MessageType<infer F>
              ? DecodedFields<F>
              : T extends () => MessageType
                ? DecodedMessage
                : never;

type DecodedFields<F> = {
  -readonly [K in keyof F as F[K] extends Field<FieldType, 'required'> ? K : never]: F[K] extends Field<infer T, Label>
    ? Value<T>
    : never;
} & {
  -readonly [K in keyof F as F[K] extends Field<FieldType, 'optional'> ? K : never]?: F[K] extends Field<infer T, Label>
    ? Value<T>
    : never;
} & {
  -readonly [K in keyof F as F[K] extends Field<FieldType, 'repeated'> ? K : never]: F[K] extends Field<infer T, Label>
    ? Value<T>[]
    : never;
};

/** A decoded message of any type. */
export interface DecodedMessage {
  [field: string]: DecodedValue | DecodedValue[];
}
export type DecodedValue = number | bigint | boolean | string | Uint8Array | DecodedMessage;

/** The decoded form of the message type M: a required field is there, an optional one may be, a repeated one is an array. */
export type Decoded<M> = M extends MessageType<infer F> ? DecodedFields<F> : never;

/** A message type of protobuf with its fields by name. */
export function message<const F extends Fields>(name: string, fields: F): MessageType<F> {
  return { kind: 'message', name, fields };
}

/** An enum of protobuf. */
export function enumeration<const V extends Readonly<Record<string, number>>>(
  name: string,
  values: V,
): EnumType & { readonly values: V } {
  return { kind: 'enum', name, values };
}

/** A field with its tag; `show` says how crit prints it. So with the other labels. */
export function required<T extends FieldType>(tag: number, type: T, show?: Show): Field<T, 'required'> {
  return { tag, type, label: 'required', show };
}

export function optional<T extends FieldType>(tag: number, type: T, show?: Show): Field<T, 'optional'> {
  return { tag, type, label: 'optional', show };
}

export function repeated<T extends FieldType>(tag: number, type: T, show?: Show): Field<T, 'repeated'> {
  return { tag, type, label: 'repeated', show };
}
