// Deterministic CBOR (RFC 8949, 4.2.1): of what is hashed, sealed and signed, every byte counts. What is read is
// refused unless it is written so, too. Only what frames and seals are made of: no maps, no tags, no fractions.

import { concat, u64, utf8, type Bytes } from './bytes.ts'

/** Numbers beyond 2^53 are `bigint`; absent is null. */
export type Cbor = number | bigint | string | boolean | null | Uint8Array | readonly Cbor[]

/** Arrays within arrays: frames have six. */
const MAX_DEPTH = 16

/** More than any answer of the relay has: a value of one byte on the wire may take fifty in memory. */
const MAX_VALUES = 2 ** 17

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const [UNSIGNED, NEGATIVE, BYTES, TEXT, ARRAY] = [0, 1, 2, 3, 4]
const [FALSE, TRUE, NULL] = [0xf4, 0xf5, 0xf6]

/** What was read is not in its one form; says in a word where. */
export class NotCbor extends Error {}

export function encode(value: Cbor): Bytes {
  if (value === null) return Uint8Array.of(NULL)
  if (typeof value === 'boolean') return Uint8Array.of(value ? TRUE : FALSE)
  if (typeof value === 'number' || typeof value === 'bigint') return whole(value)
  if (typeof value === 'string') {
    const text = utf8(value)
    return concat(head(TEXT, text.length), text)
  }
  if (value instanceof Uint8Array) return concat(head(BYTES, value.length), value)
  return concat(head(ARRAY, value.length), ...value.map(encode))
}

/** A record as frames have it: what is absent at its end is not written. */
export function record(...fields: readonly Cbor[]): Cbor {
  const last = fields.findLastIndex(field => field !== null)
  return fields.slice(0, last + 1)
}

function whole(value: number | bigint): Bytes {
  if (typeof value === 'number' && !Number.isInteger(value)) throw new RangeError('whole')
  return value < 0 ? head(NEGATIVE, -1n - BigInt(value)) : head(UNSIGNED, value)
}

function head(major: number, value: number | bigint): Bytes {
  if (value >= 1n << 64n) throw new RangeError('64 bits')
  const first = major << 5
  const near = Number(value)
  if (near < 24) return Uint8Array.of(first | near)
  if (near < 0x100) return Uint8Array.of(first | 24, near)
  if (near < 0x1_0000) return Uint8Array.of(first | 25, near >> 8, near)
  if (near < 0x1_0000_0000) return Uint8Array.of(first | 26, near >> 24, near >> 16, near >> 8, near)
  return concat(Uint8Array.of(first | 27), u64(BigInt(value)))
}

/** Reads exactly one value; throws `NotCbor`. */
export function decode(bytes: Uint8Array): Cbor {
  const [value, ...more] = decodeAll(bytes)
  if (value === undefined || more.length > 0) throw new NotCbor('length')
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
  #values = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length
  }

  read(depth: number): Cbor {
    if (depth > MAX_DEPTH || ++this.#values > MAX_VALUES) throw new NotCbor('size')
    const first = this.#bytes[this.#pass(1)] ?? 0
    if (first === NULL) return null
    if (first === FALSE || first === TRUE) return first === TRUE
    const value = this.#value(first & 0x1f)
    switch (first >> 5) {
      case UNSIGNED:
        return value
      case NEGATIVE:
        return narrow(-1n - BigInt(value))
      case BYTES:
        return this.#bytes.slice(this.#pass(value), this.#at)
      case TEXT:
        return text(this.#bytes.subarray(this.#pass(value), this.#at))
      case ARRAY:
        return this.#array(value, depth + 1)
      default:
        throw new NotCbor('kind')
    }
  }

  // Room is made as items come, whatever length is said.
  #array(length: number | bigint, depth: number): Cbor[] {
    const items: Cbor[] = []
    while (items.length < length) items.push(this.read(depth))
    return items
  }

  #value(info: number): number | bigint {
    if (info < 24) return info
    if (info > 27) throw new NotCbor('length')
    const size = 2 ** (info - 24)
    const from = this.#pass(size)
    let value = 0
    for (let at = from; at < this.#at; at++) value = value * 256 + (this.#bytes[at] ?? 0)
    if (value < (size === 1 ? 24 : 2 ** (size * 4))) throw new NotCbor('form')
    if (value <= Number.MAX_SAFE_INTEGER) return value
    return this.#bytes.subarray(from, this.#at).reduce((value, byte) => (value << 8n) | BigInt(byte), 0n)
  }

  /** Moves on over so many bytes, and says where they began. */
  #pass(length: number | bigint): number {
    const from = this.#at
    if (length > this.#bytes.length - from) throw new NotCbor('length')
    this.#at += Number(length)
    return from
  }
}

function narrow(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

function text(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes)
  } catch {
    throw new NotCbor('text')
  }
}
