// The store of a browser. A transaction commits by itself as soon as it has nothing to do, so nothing is waited for
// within one but its own requests.

import type { Bytes } from '../bytes.ts'
import { LARGE, NotOwner, StoreFull, type Dump, type Store, type Write } from './store.ts'

const NAME = 'jiashu'
const VERSION = 1
const OWNER = 'owner'

export class IdbStore implements Store {
  readonly #db: IDBDatabase
  readonly #stores: readonly string[]
  readonly #me = crypto.randomUUID()
  /** On a full phone this tab is the one all the same: the next write that finds room says so, if it still follows `#before`. */
  #isClaimed = true
  #before: unknown

  private constructor(db: IDBDatabase, stores: readonly string[]) {
    this.#db = db
    this.#stores = stores
    // A newer page of ours must not wait for this one.
    db.onversionchange = () => db.close()
  }

  static open(tables: readonly string[]): Promise<IdbStore> {
    const stores = [...tables, LARGE, 'meta']
    const opening = indexedDB.open(NAME, VERSION)
    opening.onupgradeneeded = () => {
      for (const store of stores) {
        if (!opening.result.objectStoreNames.contains(store)) opening.result.createObjectStore(store)
      }
    }
    return new Promise((resolve, reject) => {
      opening.onsuccess = () => resolve(new IdbStore(opening.result, stores))
      opening.onerror = () => reject(failure(opening.error))
    })
  }

  /** From now on no other tab writes, not one that was frozen in the middle of its work either. */
  async claim(): Promise<void> {
    this.#isClaimed = false
    await this.#transaction(tx => {
      const owner = tx.objectStore('meta').get(OWNER)
      owner.onsuccess = () => (this.#before = owner.result)
    }, 'readonly')
    await this.commit([]).catch((error: unknown) => {
      if (!(error instanceof StoreFull)) throw error
    })
  }

  async load(): Promise<Dump> {
    const dump = new Map<string, Map<string, unknown>>()
    await this.#transaction(tx => {
      for (const store of this.#stores.filter(store => store !== LARGE)) {
        const [keys, values] = [tx.objectStore(store).getAllKeys(), tx.objectStore(store).getAll()]
        values.onsuccess = () => {
          dump.set(store, new Map(keys.result.map((key, at) => [String(key), values.result[at]])))
        }
      }
    }, 'readonly')
    dump.get('meta')?.delete(OWNER)
    return dump
  }

  async read(key: string): Promise<Bytes | null> {
    let bytes: Bytes | null = null
    await this.#transaction(tx => {
      const reading: IDBRequest<Bytes | undefined> = tx.objectStore(LARGE).get(key)
      reading.onsuccess = () => (bytes = reading.result ?? null)
    }, 'readonly')
    return bytes
  }

  async commit(writes: readonly Write[]): Promise<void> {
    await this.#transaction((tx, stop) => {
      const meta = tx.objectStore('meta')
      const owner = meta.get(OWNER)
      owner.onsuccess = () => {
        const isOurs = owner.result === (this.#isClaimed ? this.#me : this.#before)
        if (!isOurs) return stop(new NotOwner('another tab has taken over'))
        if (!this.#isClaimed) meta.put(this.#me, OWNER)
        for (const { store, key, value } of writes) {
          if (value === undefined) tx.objectStore(store).delete(key)
          else tx.objectStore(store).put(value, key)
        }
      }
    })
    this.#isClaimed = true
  }

  #transaction(
    work: (tx: IDBTransaction, stop: (why: Error) => void) => void,
    mode: 'readwrite' | 'readonly' = 'readwrite',
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const tx = this.#db.transaction(this.#stores, mode, { durability: 'strict' })
      let reason: Error | null = null
      tx.oncomplete = () => resolve()
      tx.onabort = () => reject(reason ?? failure(tx.error))
      work(tx, why => {
        reason = why
        tx.abort()
      })
    })
  }
}

function failure(error: DOMException | null): Error {
  const reason = String(error)
  return error?.name === 'QuotaExceededError' ? new StoreFull(reason) : new Error(reason)
}
