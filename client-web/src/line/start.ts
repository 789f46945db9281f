// A phone in a browser: its store, its line, and that one tab is at work.

import { Phone } from '../actions.ts'
import { IdbStore } from '../state/idb.ts'
import { TABLES } from '../state/rows.ts'
import type { Connection } from '../voice/fetch.ts'
import { BrowserNet } from './net.ts'
import { Tabs } from './tabs.ts'

/** The phone of this page; at work as soon as the tab before it has handed over. */
export async function startPhone(): Promise<Phone> {
  const store = await IdbStore.open(TABLES)
  const tabs = new Tabs(() => phone.leave())
  const begin = async () => {
    await tabs.take()
    await store.claim()
    await phone.open()
  }
  const phone = new Phone({
    store,
    net: count => new BrowserNet('', count),
    origin: location.origin,
    now: () => Date.now(),
    isHidden: () => document.hidden,
    connection: () => (navigator as { readonly connection?: Connection }).connection,
    // What is here must not be thrown away when the phone wants room.
    onJoined: () => void navigator.storage.persist().catch(() => false),
    onLost: () => tabs.leave(),
    takeOver: () => void begin(),
  })
  await begin()
  addEventListener('online', () => phone.wake())
  addEventListener('offline', () => phone.lost())
  document.addEventListener('visibilitychange', () => document.hidden || phone.wake())
  return phone
}
