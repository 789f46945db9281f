// Fields of what is hashed, signed or sealed: exactly those that are named, each of its type. Throws `NotCbor`.

import type { Bytes } from '../bytes.ts'
import { NotCbor, type Cbor } from '../codec.ts'

const MAX_U32 = 2 ** 32 - 1

/** An array; of so many items where said. */
export function list(value: Cbor | undefined, length?: number): readonly Cbor[] {
  if (!Array.isArray(value) || value.length !== (length ?? value.length)) throw new NotCbor('fields')
  return value
}

export function bytes(value: Cbor | undefined, length?: number): Bytes {
  if (!(value instanceof Uint8Array) || value.length !== (length ?? value.length)) throw new NotCbor('bytes')
  return value as Bytes
}

/** Of 32 bits, not negative. */
export function number(value: Cbor | undefined): number {
  if (typeof value !== 'number' || value < 0 || value > MAX_U32) throw new NotCbor('number')
  return value
}

/** Of 64 bits; what no date reaches is rounded. */
export function millis(value: Cbor | undefined): number {
  const isTime = typeof value === 'number' || (typeof value === 'bigint' && BigInt.asIntN(64, value) === value)
  if (!isTime) throw new NotCbor('time')
  return Number(value)
}

export function text(value: Cbor | undefined): string {
  if (typeof value !== 'string') throw new NotCbor('text')
  return value
}

/** Whether each number is greater than the one before. */
export function ascends(numbers: readonly number[]): boolean {
  return numbers.every((number, at) => at === 0 || number > (numbers[at - 1] ?? 0))
}
