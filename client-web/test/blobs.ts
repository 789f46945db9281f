// A relay's stored bytes (docs/PROTOCOL.md, 14), small: with lines that break where a test says so.

import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach } from 'node:test'

import { Stopped, type Way } from '../src/voice/transfer.ts'

/** What happens to one request, instead of or beside what should. */
export interface Fate {
  readonly method?: string
  /** The line is torn after so many bytes of the body, of the request or of the answer. */
  readonly cutAfter?: number
  /** The bytes are taken, and the answer is lost. */
  readonly loseAnswer?: boolean
  /** Nothing is said for ever, after so many bytes. */
  readonly silentAfter?: number
  /** The answer comes in pieces, so long one after the other. */
  readonly slowMs?: number
  readonly answer?: { readonly status: number, readonly headers?: Record<string, string>, readonly body?: string }
}

export interface Stored {
  bytes: Buffer
  readonly length: number
  readonly digest: string
  isWhole: boolean
}

export class BlobRelay {
  readonly stored = new Map<string, Stored>()
  /** Each request: method, and where it begins. */
  readonly asked: string[] = []
  /** Of the requests to come, the first that it fits. */
  fates: Fate[] = []
  /** Of all bodies. */
  received = 0
  /** What is given to who asks for a link, and what was asked for with it. */
  linkToken = ''
  wish = ''
  readonly #server = createServer((request, response) => void this.#serve(request, response).catch(() => {}))

  async start(): Promise<string> {
    await new Promise<void>(resolve => this.#server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  stop(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  put(name: string, bytes: Uint8Array): void {
    this.stored.set(name, { bytes: Buffer.from(bytes), length: bytes.length, digest: '', isWhole: true })
  }

  #fate(method: string): Fate {
    const at = this.fates.findIndex(fate => fate.method === undefined || fate.method === method)
    return at < 0 ? {} : (this.fates.splice(at, 1)[0] as Fate)
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', headers, url = '' } = request
    const name = url.split('/').at(-1) ?? ''
    const fate = this.#fate(method)
    this.asked.push(`${method} ${headers['upload-offset'] ?? headers.range ?? ''}`.trim())
    if (fate.answer !== undefined) {
      request.resume()
      response.writeHead(fate.answer.status, fate.answer.headers).end(fate.answer.body)
      return
    }
    if (fate.silentAfter === 0) return
    if (method === 'POST') {
      for await (const data of request as AsyncIterable<Buffer>) this.wish += data.toString()
      response.writeHead(201).end(JSON.stringify({ token: this.linkToken, expires_at: 0, fetched: 0 }))
      return
    }
    if (method === 'GET') return this.#hand(name, headers.range, fate, response)
    if (method === 'PUT' && !this.stored.has(name)) {
      const [length, digest] = [Number(headers['upload-length']), `${headers['repr-digest']}`]
      this.stored.set(name, { bytes: Buffer.alloc(0), length, digest, isWhole: false })
    }
    const stored = this.stored.get(name)
    if (stored === undefined) {
      response.writeHead(404).end()
      return
    }
    if (method !== 'HEAD' && !(await this.#take(stored, request, fate, response))) return
    if (fate.loseAnswer) {
      request.socket.destroy()
      return
    }
    if (method !== 'HEAD' && stored.bytes.length === stored.length && !stored.isWhole) {
      const digest = `sha-256=:${createHash('sha256').update(stored.bytes).digest('base64')}:`
      if (digest !== stored.digest) {
        this.stored.delete(name)
        response.writeHead(400).end()
        return
      }
      stored.isWhole = true
    }
    const complete = stored.isWhole ? '?1' : '?0'
    const told = { 'Upload-Offset': stored.bytes.length, 'Upload-Length': stored.length, 'Upload-Complete': complete }
    response.writeHead(method === 'PUT' ? 201 : 204, told).end()
  }

  /** Whether there is still somebody to answer. */
  async #take(stored: Stored, request: IncomingMessage, fate: Fate, response: ServerResponse): Promise<boolean> {
    const offset = Number(request.headers['upload-offset'] ?? 0)
    if (offset !== stored.bytes.length && !stored.isWhole) {
      request.resume()
      response.writeHead(409, { 'Upload-Offset': stored.bytes.length }).end()
      return false
    }
    let taken = 0
    for await (const data of request as AsyncIterable<Buffer>) {
      const most = Math.min(fate.cutAfter ?? Infinity, fate.silentAfter ?? Infinity)
      const rest = data.subarray(0, most - taken)
      taken += rest.length
      this.received += rest.length
      if (!stored.isWhole) stored.bytes = Buffer.concat([stored.bytes, rest])
      if (taken === fate.cutAfter) request.socket.destroy()
      if (taken === most) return false
    }
    return true
  }

  async #hand(name: string, range: string | undefined, fate: Fate, response: ServerResponse): Promise<void> {
    const stored = this.stored.get(name)
    if (stored === undefined) {
      response.writeHead(404).end()
      return
    }
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0)
    const rest = stored.bytes.subarray(from)
    const length = { 'Content-Length': rest.length }
    const partial = { ...length, 'Content-Range': `bytes ${from}-${stored.length - 1}/${stored.length}` }
    if (range === undefined) response.writeHead(200, length)
    else response.writeHead(206, partial)
    if (fate.slowMs !== undefined) {
      for (let at = 0; at < rest.length; at += 4_000) {
        response.write(rest.subarray(at, at + 4_000))
        await new Promise(resolve => setTimeout(resolve, fate.slowMs))
      }
      response.end()
      return
    }
    const most = fate.cutAfter ?? fate.silentAfter
    if (most === undefined) {
      response.end(rest)
      return
    }
    response.write(rest.subarray(0, most), () => {
      if (fate.cutAfter !== undefined) setTimeout(() => response.socket?.destroy(), 20)
    })
  }
}

const relays: BlobRelay[] = []

afterEach(() => relays.splice(0).forEach(relay => relay.stop()))

/** A relay with these fates to come, and a way there that waits for nothing. */
export async function set(...fates: Fate[]) {
  const relay = new BlobRelay()
  relays.push(relay)
  relay.fates = fates
  const waited: number[] = []
  const moved = { up: 0, down: 0 }
  const way: Way = {
    origin: await relay.start(),
    token: 'secret',
    silenceMs: 10_000,
    wait: ms => Promise.resolve(void waited.push(ms)),
    moved: (up, down) => {
      moved.up += up
      moved.down += down
    },
  }
  return { relay, way, waited, moved }
}

/** For `assert.rejects`. */
export function stopped(why: Stopped['why']) {
  return (error: unknown) => error instanceof Stopped && error.why === why
}
