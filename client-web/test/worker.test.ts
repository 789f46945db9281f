// The service worker, with caches and a relay that are only pretended.

import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'

type Listener = (event: object) => void

const RELAY = 'https://relay.example'
const listeners = new Map<string, Listener>()
let stored: Map<string, Map<string, string>>
let asked: string[]
let isOnline: boolean

class Cache {
  readonly #kept: Map<string, string>
  constructor(name: string) {
    this.#kept = stored.get(name) ?? new Map()
    stored.set(name, this.#kept)
  }

  async addAll(paths: readonly string[]): Promise<void> {
    for (const path of paths) this.#kept.set(path, `kept ${path}`)
  }

  async keys(): Promise<object[]> {
    return [...this.#kept.keys()].map(path => ({ url: RELAY + path }))
  }

  async match(path: string): Promise<Response | undefined> {
    const kept = this.#kept.get(path)
    return kept === undefined ? undefined : new Response(kept)
  }

  async put(path: string, response: Response): Promise<void> {
    this.#kept.set(path, await response.text())
  }
}

const pretended = {
  SHELL: ['/', '/web/phone-A.js'],
  WORDS_OF: { ro: ['/web/ro-B.js'], lv: ['/web/lv-B.js'], 'zh-Hans': ['/web/zh-Hans-B.js', '/web/zh-Hans-C.js'] },
  BUILD: 'new',
  location: new URL(RELAY),
  navigator: { languages: ['zh-CN', 'en'] },
  self: {
    clients: { claim: async () => undefined },
    addEventListener: (type: string, listener: Listener) => listeners.set(type, listener),
  },
  caches: {
    open: async (name: string) => new Cache(name),
    keys: async () => [...stored.keys()],
    delete: async (name: string) => stored.delete(name),
  },
  fetch: async ({ url }: { readonly url: string }) => {
    if (!isOnline) throw new TypeError('no line')
    asked.push(new URL(url).pathname)
    return new Response('from the relay')
  },
}
for (const [name, value] of Object.entries(pretended)) {
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true })
}
await import('../src/sw.ts')

beforeEach(() => {
  stored = new Map([['old', new Map([['/web/lv-A.js', 'ļ']])]])
  asked = []
  isOnline = true
})

async function tell(type: 'install' | 'activate'): Promise<void> {
  let work: Promise<unknown> = Promise.resolve()
  listeners.get(type)?.({ waitUntil: (given: Promise<unknown>) => { work = given } })
  await work
}

/** What the worker answers, or null where it leaves a request to the browser. */
async function ask(url: string, mode = 'no-cors', method = 'GET'): Promise<string | null> {
  let answer: Promise<Response> | null = null
  const request = { url: new URL(url, RELAY).href, mode, method }
  listeners.get('fetch')?.({ request, respondWith: (given: Promise<Response>) => { answer = given } })
  return answer && (await (answer as Promise<Response>)).text()
}

test('the page, its scripts, and the words that somebody here reads are kept', async () => {
  await tell('install')

  const kept = ['/', '/web/phone-A.js', '/web/lv-B.js', '/web/zh-Hans-B.js', '/web/zh-Hans-C.js']
  assert.deepEqual([...(stored.get('new')?.keys() ?? [])], kept)
  assert.ok(stored.has('old'), 'pages of the old build are still open')
})

test('what an older build kept goes when the newer is at work', async () => {
  await tell('install')

  await tell('activate')

  assert.deepEqual([...stored.keys()], ['new'])
})

test('without a line the page opens, by either address', async () => {
  await tell('install')
  isOnline = false

  for (const address of ['/', '/join']) assert.equal(await ask(address, 'navigate'), 'kept /')
  assert.equal(await ask('/web/phone-A.js'), 'kept /web/phone-A.js')
})

test('a language is fetched once', async () => {
  await tell('install')

  for (const time of ['first', 'second']) assert.equal(await ask('/web/ro-B.js'), 'from the relay', time)

  assert.deepEqual(asked, ['/web/ro-B.js'])
})

test('what is said to the relay, and other pages, are left to the browser', async () => {
  await tell('install')

  assert.equal(await ask('/1', 'cors', 'POST'), null)
  for (const path of ['/1', '/1/blob', '/sw.js', 'https://else.example/web/phone-A.js']) assert.equal(await ask(path), null, path)
  for (const path of ['/v', '/staff', '/web/phone-A.js']) assert.equal(await ask(path, 'navigate'), null, path)
})
