// Deterministic CBOR (RFC 8949, 4.2.1): of what is hashed, sealed and signed, every byte counts. What is read is
// refused unless it is written so, too. Only what frames and seals are made of: no maps, no tags, no fractions.

import { concat, utf8, type Bytes } from './bytes.ts'

/** Numbers beyond 2^53 are `bigint`; absent is null. */
export type Cbor = number | bigint | string | boolean | null | Uint8Array | readonly Cbor[]

/** Arrays within arrays: frames have six. */
const MAX_DEPTH = 16

const [UNSIGNED, NEGATIVE, BYTES, TEXT, ARRAY] = [0, 1, 2, 3, 4]
const [FALSE, TRUE, NULL] = [0xf4, 0xf5, 0xf6]

export class NotCbor extends Error {}

export function encode(value: Cbor): Bytes {
  if (value === null) return Uint8Array.of(NULL)
  if (typeof value === 'boolean') return Uint8Array.of(value ? TRUE : FALSE)
  if (typeof value === 'number' || typeof value === 'bigint') return whole(BigInt(value))
  if (typeof value === 'string') {
    const text = utf8(value)
    return concat(head(TEXT, BigInt(text.length)), text)
  }
  if (value instanceof Uint8Array) return concat(head(BYTES, BigInt(value.length)), value)
  return concat(head(ARRAY, BigInt(value.length)), ...value.map(encode))
}

/** A record as frames have it: what is absent at its end is not written. */
export function record(...fields: readonly Cbor[]): Cbor {
  const last = fields.findLastIndex(field => field !== null)
  return fields.slice(0, last + 1)
}

function whole(value: bigint): Bytes {
  return value < 0n ? head(NEGATIVE, -1n - value) : head(UNSIGNED, value)
}

function head(major: number, value: bigint): Bytes {
  if (value < 0n || value >= 1n << 64n) throw new RangeError('not a number of 64 bits')
  const first = major << 5
  if (value < 24n) return Uint8Array.of(first | Number(value))
  const size = value < 0x100n ? 1 : value < 0x1_0000n ? 2 : value < 0x1_0000_0000n ? 4 : 8
  const bytes = new Uint8Array(1 + size)
  bytes[0] = first | (24 + Math.log2(size))
  for (let at = size; at > 0; at--) {
    bytes[at] = Number(value & 0xffn)
    value >>= 8n
  }
  return bytes
}

/** Reads exactly one value; throws `NotCbor`. */
export function decode(bytes: Uint8Array): Cbor {
  const [value, ...more] = decodeAll(bytes)
  if (value === undefined || more.length > 0) throw new NotCbor('not one value')
  return value
}

/** Reads values that stand one after the other, as frames do; throws `NotCbor`. */
export function decodeAll(bytes: Uint8Array): Cbor[] {
  const reader = new Reader(bytes)
  const values: Cbor[] = []
  while (!reader.isAtEnd) values.push(reader.read(0))
  return values
}

class Reader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length
  }

  read(depth: number): Cbor {
    if (depth > MAX_DEPTH) throw new NotCbor('too deep')
    const first = this.#take(1)[0] ?? 0
    if (first === NULL) return null
    if (first === FALSE || first === TRUE) return first === TRUE
    const value = this.#value(first & 0x1f)
    switch (first >> 5) {
      case UNSIGNED:
        return narrow(value)
      case NEGATIVE:
        return narrow(-1n - value)
      case BYTES:
        return this.#take(this.#length(value)).slice()
      case TEXT:
        return text(this.#take(this.#length(value)))
      case ARRAY:
        return Array.from({ length: this.#length(value) }, () => this.read(depth + 1))
      default:
        throw new NotCbor('another kind of value')
    }
  }

  #value(info: number): bigint {
    if (info < 24) return BigInt(info)
    if (info > 27) throw new NotCbor('no length')
    const size = 2 ** (info - 24)
    const value = this.#take(size).reduce((value, byte) => (value << 8n) | BigInt(byte), 0n)
    const least = size === 1 ? 24n : 1n << BigInt(size * 4)
    if (value < least) throw new NotCbor('not the shortest form')
    return value
  }

  // Each item has a byte at least, so nothing is made room for that is not there.
  #length(value: bigint): number {
    if (value > BigInt(this.#bytes.length - this.#at)) throw new NotCbor('cut short')
    return Number(value)
  }

  #take(length: number): Uint8Array {
    const end = this.#at + length
    if (end > this.#bytes.length) throw new NotCbor('cut short')
    const taken = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return taken
  }
}

function narrow(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

function text(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new NotCbor('not UTF-8')
  }
}
