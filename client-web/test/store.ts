// A store in memory: whoever takes the same rows is the next process of the same phone.

import type { Bytes } from '../src/bytes.ts'
import { LARGE, type Dump, type Store, type Write } from '../src/state/store.ts'

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
