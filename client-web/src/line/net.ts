// The two roads to the relay, and how many bytes go over them.

import type { Bytes } from '../bytes.ts'
import type { Millis } from '../proto/id.ts'

/** The relay was not reached, or has no place for us just now. */
export class Offline extends Error {
  /** So long it asks to wait, if it does. */
  readonly retryAfter: Millis | null

  constructor(retryAfter: Millis | null = null) {
    super()
    this.retryAfter = retryAfter
  }
}

export interface SocketEvents {
  opened(): void
  received(bytes: Bytes): void
  /** Once; also where it never opened. */
  closed(code: number, reason: string): void
}

export interface Socket {
  send(frame: Bytes): void
  close(): void
}

export interface Net {
  /** One round: frames there, frames back. Throws `Offline`. */
  post(frames: Bytes): Promise<Bytes>
  connect(events: SocketEvents): Socket
}

/** Told of the bytes that went each way. */
export type Count = (up: number, down: number) => void

/** A slow line must get a page of the log through in this time, and an upgrade in that. */
const [ROUND_MS, UPGRADE_MS] = [60_000, 15_000]

/** What the heads of a request and its answer come to, and those of an upgrade; and around a message. About. */
const HEADS = { up: 500, down: 250 }
const AROUND = 8

/** A browser's. `origin` is empty for the relay that this page is from. */
export class BrowserNet implements Net {
  readonly #origin: string
  readonly #count: Count

  constructor(origin: string, count: Count) {
    this.#origin = origin
    this.#count = count
  }

  async post(body: Bytes): Promise<Bytes> {
    this.#count(HEADS.up + body.length, 0)
    let response: Response
    let answer: Bytes
    try {
      const signal = AbortSignal.timeout(ROUND_MS)
      const how = { cache: 'no-store', credentials: 'omit', redirect: 'error' } as const
      response = await fetch(`${this.#origin}/1`, { method: 'POST', body, signal, ...how })
      answer = new Uint8Array(await response.arrayBuffer())
    } catch {
      throw new Offline()
    }
    this.#count(0, HEADS.down + answer.length)
    if (response.ok) return answer
    const after = Number(response.headers.get('Retry-After') ?? NaN)
    throw new Offline(after >= 0 ? after * 1000 : null)
  }

  connect(events: SocketEvents): Socket {
    const address = new URL('/1', this.#origin || location.origin)
    address.protocol = address.protocol.replace('http', 'ws')
    const socket = new WebSocket(address)
    socket.binaryType = 'arraybuffer'
    const timer = setTimeout(() => socket.close(), UPGRADE_MS)
    this.#count(HEADS.up, 0)
    socket.onopen = () => {
      clearTimeout(timer)
      this.#count(0, HEADS.down)
      events.opened()
    }
    socket.onmessage = ({ data }: MessageEvent<ArrayBuffer | string>) => {
      if (typeof data === 'string') return
      this.#count(0, AROUND + data.byteLength)
      events.received(new Uint8Array(data))
    }
    socket.onclose = ({ code, reason }) => {
      clearTimeout(timer)
      events.closed(code, reason)
    }
    return {
      send: frame => {
        this.#count(AROUND + frame.length, 0)
        if (socket.readyState === WebSocket.OPEN) socket.send(frame)
      },
      close: () => socket.close(),
    }
  }
}
