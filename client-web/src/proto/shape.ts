// How fields read and are written. What a phone reads comes from a relay that may be hostile, so each field says what
// it takes; null stands for what is absent. All of it throws `NotCbor`.

import { fromHex, toHex, type Bytes } from '../bytes.ts'
import { NotCbor, type Cbor } from '../codec.ts'
import type { Ref, Scope } from './id.ts'

/** Items of any list in a frame or an entry, but for the links of a roster. */
const MAX_LIST = 512

export interface Reads<T> {
  read(value: Cbor): T
}

export interface Shape<T> extends Reads<T> {
  write(value: T): Cbor
  /** Whether what was written stands for nothing, and so is left out at the end of a record. */
  isNothing?(written: Cbor): boolean
}

export interface Fields<T> extends Shape<T> {
  write(value: T): readonly Cbor[]
}

/** The body of the variant of that type. */
export type Body<Any, Type> = Omit<Extract<Any, { readonly type: Type }>, 'type'>

/** What that says yes to, as it is. */
export function only<T extends Cbor>(holds: (value: Cbor) => boolean): Shape<T> {
  return {
    read(value) {
      if (!holds(value)) throw new NotCbor('field')
      return value as T
    },
    write: value => value,
  }
}

export const any = only<Cbor>(() => true)
export const text = only<string>(value => typeof value === 'string')
export const flag = only<boolean>(value => typeof value === 'boolean')

/** Of so many bytes, where that is said. */
export function bytes(length?: number): Shape<Bytes> {
  return only(value => value instanceof Uint8Array && value.length === (length ?? value.length))
}

export function between(least: number, most: number): Shape<number> {
  return only(value => typeof value === 'number' && value >= least && value <= most)
}

export const u32 = between(0, 2 ** 32 - 1)
/** A counter, a place, a length. */
export const count = between(0, Number.MAX_SAFE_INTEGER)
export const millis = between(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)

const REF = bytes(12)

export const ref: Shape<Ref> = {
  read: value => toHex(REF.read(value)),
  write: fromHex,
}

export const scope: Shape<Scope> = {
  read: value => BigInt(typeof value === 'bigint' && value >= 0n ? value : count.read(value)),
  write: value => value,
}

export function orNull<T>(shape: Shape<T>): Shape<T | null> {
  return {
    read: value => value === null ? null : shape.read(value),
    write: value => value === null ? null : shape.write(value),
    isNothing: written => written === null,
  }
}

/** What is mostly false, 0 or empty. */
export function sparse<T>(shape: Shape<T>, absent: false | 0 | readonly []): Shape<T> {
  return {
    read: value => shape.read(value ?? absent),
    write: value => shape.write(value),
    isNothing: written => Array.isArray(written) ? written.length === 0 : written === absent,
  }
}

export function list<T>(shape: Shape<T>, most = MAX_LIST): Shape<readonly T[]> {
  return {
    read(value) {
      const items = array(value)
      if (items.length > most) throw new NotCbor('size')
      return items.map(item => shape.read(item))
    },
    write: values => values.map(value => shape.write(value)),
  }
}

/** Members, devices or invites: ascending, none twice. */
export const numbers: Shape<readonly number[]> = {
  read(value) {
    const read = list(u32).read(value)
    if (read.some((number, at) => at > 0 && number <= (read[at - 1] ?? 0))) throw new NotCbor('order')
    return read
  },
  write: value => value,
}

/** An array of fields, in this order. What a newer version has behind them is passed over. */
export function fields<T extends object>(shapes: { readonly [Name in keyof T]: Shape<T[Name]> }): Fields<T> {
  const names = Object.keys(shapes) as (keyof T)[]
  return {
    read(value) {
      const items = array(value)
      const read = {} as T
      names.forEach((name, at) => read[name] = shapes[name].read(items[at] ?? null))
      return read
    },
    write(value) {
      const items = names.map(name => shapes[name].write(value[name]))
      const last = names.findLastIndex((name, at) => !shapes[name].isNothing?.(items[at] ?? null))
      return items.slice(0, last + 1)
    },
  }
}

/** What bodies are, by the number of their kind. */
type Kinds = { readonly [type: string]: readonly [number, Reads<object>] }

/** How they read. */
export function readers<Any>(kinds: Kinds): ReadonlyMap<number, (body: Cbor) => Any> {
  const all = Object.entries(kinds)
  return new Map(all.map(([type, [kind, shape]]) => [kind, body => ({ type, ...shape.read(body) }) as Any]))
}

function array(value: Cbor): readonly Cbor[] {
  if (!Array.isArray(value)) throw new NotCbor('list')
  return value
}
