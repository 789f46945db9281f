// Where a phone keeps what it knows: read once, at the start; after that each step is written as a whole, durably, or
// not at all.

import type { Bytes } from '../bytes.ts'

/** A row put under its key, or taken away: `undefined`. Keys of a family begin with its number and a stroke. */
export interface Write { readonly store: string, readonly key: string, readonly value: unknown }

export type Dump = ReadonlyMap<string, ReadonlyMap<string, unknown>>

/** Where large bytes are, which are read when somebody asks. */
export const LARGE = 'stored'

export interface Store {
  /** Everything, by store, but what is large. */
  load(): Promise<Dump>
  /** Large bytes; null where there are none. */
  read(key: string): Promise<Bytes | null>
  /** One transaction. Throws `StoreFull` and `NotOwner`; nothing was written then. */
  commit(writes: readonly Write[]): Promise<void>
}

/** The phone has no room. */
export class StoreFull extends Error {}

/** Another tab has taken over: this one must stop. */
export class NotOwner extends Error {}

/** For tests: whoever takes the same rows is the next process of the same phone. */
export class MemoryStore implements Store {
  readonly rows = new Map<string, Map<string, unknown>>()
  /** What the next commits throw. */
  fault: Error | null = null
  /** Commits so far. */
  commits = 0

  load(): Promise<Dump> {
    const small = [...this.rows].filter(([store]) => store !== LARGE)
    return Promise.resolve(new Map(small.map(([store, rows]) => [store, new Map(rows)])))
  }

  read(key: string): Promise<Bytes | null> {
    return Promise.resolve((this.rows.get(LARGE)?.get(key) as Bytes | undefined) ?? null)
  }

  commit(writes: readonly Write[]): Promise<void> {
    if (this.fault !== null) return Promise.reject(this.fault)
    for (const { store, key, value } of writes) {
      const rows = this.rows.get(store) ?? new Map<string, unknown>()
      this.rows.set(store, rows)
      if (value === undefined) rows.delete(key)
      else rows.set(key, structuredClone(value))
    }
    this.commits++
    return Promise.resolve()
  }
}
