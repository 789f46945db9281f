// Sealed files to the relay and back, over lines that break: up by offset, as the IETF's resumable uploads have it
// (draft-ietf-httpbis-resumable-upload-12), down by range (RFC 9110, 14). What has arrived is not sent again.
//
// Browsers do not tell how much of a request they have sent, and not all of them stream one. So a file goes up in
// pieces: what is answered has arrived, and a line on which no piece arrives is dead.

import type { Bytes } from '../bytes.ts'
import type { Ref } from '../proto/id.ts'
import { CHUNK, TAG } from '../seal/voice.ts'

/** A sealed chunk with its tag: what the relay makes durable at once. */
const MIN_PIECE = CHUNK + TAG

const MAX_PIECE = 8 * MIN_PIECE

/** A piece is to take so long: long enough that the answers cost little, short enough that a cut does, too. */
const PIECE_MS = 6_000

/** A line on which nothing moves for so long is dead. */
const SILENCE_MS = 20_000

/** Tries one after the other that bring nothing: then it is left for later. */
const TRIES_IN_VAIN = 4

/** The wait after the first of them; it doubles. */
const FIRST_WAIT_MS = 1_000

/** A relay that asks for a longer pause is left alone. */
const LONGEST_PAUSE_MS = 20_000

/** What the heads of a request and of its answer come to, about. */
const HEADS = { up: 900, down: 400 }

/** Which relay, and as whom. */
export interface Way {
  /** Empty for the one that this page is from. */
  readonly origin: string
  /** base64url of a token's 28 bytes; null by a link. */
  readonly token: string | null
  /** Told of the bytes that went each way. */
  readonly moved?: (up: number, down: number) => void
  /** Gives it up. */
  readonly signal?: AbortSignal
  // Given in tests alone.
  readonly wait?: (ms: number) => Promise<void>
  readonly silenceMs?: number
}

/** A sealed file that the relay is to have. */
export interface Upload {
  readonly blob: Ref
  readonly stored: Bytes
  /** SHA-256 of it. */
  readonly hash: Bytes
  /** Whether the relay was told of it, and may have a part. */
  readonly begun: boolean
}

/** Told from 0 to 1 how much is there. */
export type OnShare = (share: number) => void

/** Why a transfer did not come to its end. */
export class Stopped extends Error {
  /**
   * 'later': the line, or the relay for now; what has arrived stays, and it goes on from there. 'gone': the relay does
   * not have it, or no more. 'refused': it will never take it, or give it. 'unauthorised': this phone is not let in.
   */
  readonly why: 'later' | 'gone' | 'refused' | 'unauthorised'
  /** So long the relay asks to wait, if it does. */
  readonly pauseMs: number | null
  /** What the relay answered, where that is why. */
  readonly status: number | null

  constructor(why: Stopped['why'], pauseMs: number | null = null, status: number | null = null) {
    super(why)
    this.why = why
    this.pauseMs = pauseMs
    this.status = status
  }
}

/** One try broke off. */
class Broke extends Error {
  readonly pauseMs: number | null
  /** Whether the relay said something at all. */
  readonly isAnswer: boolean

  constructor(isAnswer = true, pauseMs: number | null = null) {
    super()
    this.isAnswer = isAnswer
    this.pauseMs = pauseMs
  }
}

/** How often it was tried in vain. */
class Patience {
  readonly #wait: (ms: number) => Promise<void>
  #inVain = 0
  // Where nobody answers at all, that is known at once.
  #isAnswered = false

  constructor(way: Way) {
    this.#wait = way.wait ?? (ms => new Promise(resolve => setTimeout(resolve, ms)))
  }

  moved(): void {
    this.#inVain = 0
    this.#isAnswered = true
  }

  /** Waits until it pays to try again; throws `Stopped` if it does not. */
  async tried(broke: Broke): Promise<void> {
    this.#isAnswered ||= broke.isAnswer
    this.#inVain++
    const { pauseMs } = broke
    const isOver = !this.#isAnswered || this.#inVain > TRIES_IN_VAIN || (pauseMs ?? 0) > LONGEST_PAUSE_MS
    if (isOver) throw new Stopped('later', pauseMs)
    await this.#wait(pauseMs ?? FIRST_WAIT_MS * 2 ** (this.#inVain - 1))
  }
}

/** How far an upload has come. */
interface Stand {
  readonly offset: number
  readonly isWhole: boolean
  /** Whether what was just sent was taken. */
  readonly isTaken: boolean
}

/** Sends a sealed file, of which the relay may have a part; settles once it has all of it. Throws `Stopped`. */
export async function upload(way: Way, file: Upload, onShare: OnShare = () => {}): Promise<void> {
  const { length } = file.stored
  const patience = new Patience(way)
  let piece = MIN_PIECE
  // Where the relay may know of it, it tells how far it is: that is less than sending it again.
  let at = file.begun ? null : 0
  let best = 0
  let broke: Broke | null = null
  for (;;) {
    const began = performance.now()
    try {
      const stand: Stand = at === null ? await ask(way, file.blob) : await send(way, file, at, piece)
      if (stand.isWhole) return onShare(1)
      if (stand.offset > length) throw new Broke()
      const goesOn = at === null ? broke === null || stand.offset > best : stand.isTaken && stand.offset > at
      if (!goesOn) await patience.tried(new Broke())
      else if (at !== null) piece = nextPiece(stand.offset - at, performance.now() - began)
      // Bytes that are thrown away each time do not count as getting on.
      if (goesOn && stand.offset > best) patience.moved()
      best = Math.max(best, stand.offset)
      ;[at, broke] = [stand.offset, null]
      onShare(at / length)
    } catch (error) {
      if (!(error instanceof Broke)) throw error
      // What the relay has by now it will say; more than before, if the line brought anything.
      if (at === null || error.pauseMs !== null) await patience.tried(error)
      else broke = error
      ;[piece, at] = [MIN_PIECE, null]
    }
  }
}

/** How much to send next, after a piece that took so long. */
export function nextPiece(piece: number, tookMs: number): number {
  const inTime = Math.floor((piece * PIECE_MS) / Math.max(tookMs, 1) / MIN_PIECE) * MIN_PIECE
  return Math.max(MIN_PIECE, Math.min(inTime, 2 * piece, MAX_PIECE))
}

/** The address of a family's stored bytes, for its members. */
export function blobPath(blob: Ref): string {
  return `/1/blob/${blob}`
}

function ask(way: Way, blob: Ref): Promise<Stand> {
  return request(way, blobPath(blob), { method: 'HEAD' }, response => {
    if (response.status === 404) return { offset: 0, isWhole: false, isTaken: true }
    return response.ok ? stand(response) : refuse(response)
  })
}

function send(way: Way, { blob, stored, hash }: Upload, offset: number, piece: number): Promise<Stand> {
  const body = stored.subarray(offset, offset + piece)
  const complete = { 'Upload-Complete': offset + body.length === stored.length ? '?1' : '?0' }
  const first = { 'Upload-Length': `${stored.length}`, 'Repr-Digest': `sha-256=:${btoa(String.fromCharCode(...hash))}:` }
  const further = { 'Upload-Offset': `${offset}`, 'Content-Type': 'application/partial-upload' }
  const [method, headers] = offset === 0 ? ['PUT', first] : ['PATCH', further]
  return request(way, blobPath(blob), { method, body, headers: { ...complete, ...headers } }, async response => {
    if (response.ok || (response.status === 409 && response.headers.has('Upload-Offset'))) return stand(response)
    // It waited there too long for what names it, and is just being removed: from the start again, later.
    if (response.status === 404) throw new Stopped('later')
    // A name that is taken stays so; else two requests of its own met.
    const isOvertaken = response.status === 409 && !(await response.text()).includes('"exists"')
    if (isOvertaken) throw new Broke()
    return refuse(response)
  })
}

function stand({ ok, headers }: Response): Stand {
  const offset = headers.get('Upload-Offset')
  if (offset === null || !/^\d{1,9}$/.test(offset)) throw new Broke()
  return { offset: Number(offset), isWhole: headers.get('Upload-Complete') === '?1', isTaken: ok }
}

/** A file that is being fetched. Whoever keeps it goes on from there. */
export class Part {
  readonly bytes: Bytes
  have = 0

  constructor(length: number) {
    this.bytes = new Uint8Array(length)
  }
}

/**
 * Fetches what is missing of stored bytes. Whether they are the right ones is seen when they are opened. Throws
 * `Stopped`.
 */
export async function download(way: Way, path: string, part: Part, onShare: OnShare = () => {}): Promise<Bytes> {
  const patience = new Patience(way)
  while (part.have < part.bytes.length) {
    const before = part.have
    try {
      await fetchRest(way, path, part, onShare)
    } catch (error) {
      if (!(error instanceof Broke)) throw error
      if (part.have > before) patience.moved()
      await patience.tried(error)
    }
  }
  return part.bytes
}

function fetchRest(way: Way, path: string, part: Part, onShare: OnShare): Promise<void> {
  const headers = part.have > 0 ? { Range: `bytes=${part.have}-` } : {}
  return request(way, path, { headers }, async (response, alive) => {
    if (!response.ok) return refuse(response)
    if (response.status === 206) {
      const isNext = response.headers.get('Content-Range')?.startsWith(`bytes ${part.have}-`)
      if (isNext !== true) throw new Broke()
    } else {
      // All of it, from its start, whatever was asked for.
      part.have = 0
    }
    const reader = response.body?.getReader()
    while (part.have < part.bytes.length) {
      const { value, done } = (await reader?.read()) ?? { value: undefined, done: true }
      if (done) throw new Broke()
      alive()
      const data = value.subarray(0, part.bytes.length - part.have)
      part.bytes.set(data, part.have)
      part.have += data.length
      way.moved?.(0, data.length)
      onShare(part.have / part.bytes.length)
    }
    void reader?.cancel()
  })
}

/** One request, whose answer `read` reads, given up when nothing moves any more. Throws `Broke` and `Stopped`. */
export async function request<T>(
  way: Way,
  path: string,
  init: { method?: string, body?: Bytes, headers?: Record<string, string> },
  read: (response: Response, alive: () => void) => T | Promise<T>,
): Promise<T> {
  const line = new AbortController()
  const cut = () => line.abort()
  let timer: ReturnType<typeof setTimeout> | undefined
  const alive = () => {
    clearTimeout(timer)
    timer = setTimeout(cut, way.silenceMs ?? SILENCE_MS)
  }
  alive()
  way.signal?.addEventListener('abort', cut)
  try {
    way.signal?.throwIfAborted()
    way.moved?.(HEADS.up + (init.body?.length ?? 0), HEADS.down)
    const bearer = way.token === null ? {} : { Authorization: `Bearer ${way.token}` }
    const response = await fetch(way.origin + path, {
      ...init,
      headers: { ...init.headers, ...bearer },
      signal: line.signal,
      cache: 'no-store',
      credentials: 'omit',
      redirect: 'error',
    })
    alive()
    return await read(response, alive)
  } catch (error) {
    if (way.signal?.aborted) throw new Stopped('later')
    if (error instanceof Broke || error instanceof Stopped) throw error
    throw new Broke(false)
  } finally {
    clearTimeout(timer)
    way.signal?.removeEventListener('abort', cut)
  }
}

/** What a status means that is no success. */
export function refuse({ status, headers }: Response): never {
  const after = headers.get('Retry-After')
  const pauseMs = after !== null && /^\d{1,9}$/.test(after) ? Number(after) * 1000 : null
  if (status === 401) throw new Stopped('unauthorised')
  if (status === 404 || status === 410) throw new Stopped('gone')
  // A family that has not consented yet, or has stored enough for a day.
  if (status === 403 || (status === 429 && pauseMs === null)) throw new Stopped('later')
  // Bytes that came damaged, a line that was too slow, a busy relay.
  if ([400, 408, 429].includes(status) || (status >= 500 && status !== 507)) throw new Broke(true, pauseMs)
  throw new Stopped('refused', null, status)
}
