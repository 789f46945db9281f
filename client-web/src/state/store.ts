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
