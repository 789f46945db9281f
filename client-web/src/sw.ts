// The service worker: keeps the page on the phone, so that it opens without a line, and costs nothing the second time.
// What a relay hands out in one build belongs together: it has one cache, filled before this worker is at work. A
// newer worker waits until no page of an older one is open; then the older cache goes.

import { ours } from './languages.ts'

/** What is kept for everybody, and the words of each language, by address; names of ours, put in by the build. */
declare const SHELL: readonly string[]
declare const WORDS_OF: Readonly<Record<string, readonly string[]>>
/** Of all that; another build has another. */
declare const BUILD: string

// The worker's own types and those of a page contradict each other; these are the few that are used here.
interface Lasting extends Event { waitUntil(work: Promise<unknown>): void }
interface Fetching extends Event { readonly request: Request, respondWith(answer: Promise<Response>): void }
interface Worker {
  readonly clients: { claim(): Promise<void> }
  addEventListener(type: 'install' | 'activate', listener: (event: Lasting) => void): void
  addEventListener(type: 'fetch', listener: (event: Fetching) => void): void
}
declare const self: Worker

self.addEventListener('install', event => event.waitUntil(install()))
self.addEventListener('activate', event => event.waitUntil(activate()))
self.addEventListener('fetch', event => {
  const { method, mode, url } = event.request
  const { origin, pathname } = new URL(url)
  if (method !== 'GET' || origin !== location.origin) return
  // Behind the #, which is not seen here, /join has a card's secret; it is the same page.
  if (mode === 'navigate' && (pathname === '/' || pathname === '/join')) event.respondWith(answer('/', event.request))
  else if (mode !== 'navigate' && (pathname.startsWith('/web/') || SHELL.includes(pathname))) {
    event.respondWith(answer(pathname, event.request))
  }
})

async function install(): Promise<void> {
  const languages = await wanted()
  await (await caches.open(BUILD)).addAll([...SHELL, ...languages])
}

/** The words of the language that this browser's person reads, and of those that somebody has read before. */
async function wanted(): Promise<string[]> {
  const caught = await Promise.all((await caches.keys()).map(async name => (await caches.open(name)).keys()))
  const before = caught.flat().map(({ url }) => new URL(url).pathname)
  const isWanted = (language: string) =>
    language === ours(navigator.languages) ||
    before.some(path => path.startsWith(`/web/${language}-`))
  return Object.entries(WORDS_OF).flatMap(([language, words]) => (isWanted(language) ? words : []))
}

async function activate(): Promise<void> {
  const old = (await caches.keys()).filter(name => name !== BUILD)
  await Promise.all(old.map(name => caches.delete(name)))
  await self.clients.claim()
}

/** From the cache; else from the relay, and what keeps its name for ever into the cache. */
async function answer(path: string, request: Request): Promise<Response> {
  const cache = await caches.open(BUILD)
  const kept = await cache.match(path, { ignoreVary: true })
  if (kept !== undefined) return kept
  const came = await fetch(request)
  if (came.ok && path.startsWith('/web/')) await cache.put(path, came.clone())
  return came
}
