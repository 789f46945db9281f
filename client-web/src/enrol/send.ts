// Families on their way to the relay, some in a request. A repeat sends the same bytes, so the relay knows it for one.

import { concat, type Bytes } from '../bytes.ts'
import { NotCbor, decodeAll, type Cbor } from '../codec.ts'
import type { Drawn } from './draw.ts'

/** Few enough in a request that progress is seen on a slow line; the relay takes 64. */
const BATCH = 16

/** Bytes of a request; the relay takes 512 KiB. */
const MAX_BODY = 256 * 1024

const TRIES = 5

/** Longest wait before the next try, whatever the relay asks for. */
const MAX_WAIT_MS = 30_000

const [REFUSED, ENROLLED] = [19, 27]

/** Codes of refusals that mean: the same again, later. */
const [SLOW_DOWN, UNAVAILABLE] = [11, 12]

/** Statuses that mean the same: no place just now, or the line was too slow. */
const LATER = [408, 429]

/** What the relay said to one family. */
export type Answer =
  | { readonly caseCode: string, readonly scope: bigint, readonly active: boolean }
  | { readonly code: number, readonly text: string, readonly retryMs: number }

/** Where families are sent, and what shows that a page of ours does. */
export interface Door {
  readonly url: string
  readonly csrf: string
  readonly fetch: typeof fetch
  readonly wait: (ms: number) => Promise<void>
}

/** The relay could not be reached, or gave no answer that reads. What was not answered may have been taken. */
export class NotSent extends Error {
  /** How long the relay asks to wait, if it does. */
  readonly waitMs: number | null

  constructor(reason: string, waitMs: number | null = null) {
    super(reason)
    this.waitMs = waitMs
  }
}

/** The session is over: sign in, in another tab, and send again. */
export class SignedOut extends Error {}

/** Sends families and hands over each one's answer; throws `NotSent` or `SignedOut`, with some answered. */
export async function send(door: Door, families: readonly Drawn[], done: (family: Drawn, answer: Answer) => void): Promise<void> {
  let rest = families
  let tries = 0
  while (rest.length > 0) {
    const batch = first(rest)
    const answers = await ask(door, batch, TRIES - tries)
    // What is behind one that is to wait is not done with: all of that comes first in the next request.
    const waits = answers.findIndex(isToWait)
    tries = waits === 0 ? tries + 1 : 0
    const isGivenUp = tries >= TRIES
    const taken = waits < 0 || isGivenUp ? answers.length : waits
    if (isGivenUp) tries = 0
    batch.slice(0, taken).forEach((family, at) => done(family, answers[at] as Answer))
    rest = rest.slice(taken)
    const answer = answers[waits]
    if (taken === waits && answer !== undefined && 'code' in answer) await door.wait(Math.min(answer.retryMs, MAX_WAIT_MS))
  }
}

function first(families: readonly Drawn[]): readonly Drawn[] {
  let length = 0
  const tooMany = families.findIndex((family, at) => {
    length += family.frame.length
    return at >= BATCH || (at > 0 && length > MAX_BODY)
  })
  return tooMany < 0 ? families : families.slice(0, tooMany)
}

async function ask(door: Door, batch: readonly Drawn[], tries: number): Promise<Answer[]> {
  for (let tried = 1; ; tried++) {
    try {
      return await post(door, batch)
    } catch (error) {
      if (!(error instanceof NotSent) || tried >= tries) throw error
      await door.wait(Math.min(error.waitMs ?? 1000 * 2 ** tried, MAX_WAIT_MS))
    }
  }
}

async function post(door: Door, batch: readonly Drawn[]): Promise<Answer[]> {
  const response = await door.fetch(door.url, {
    method: 'POST',
    body: concat(...batch.map(family => family.frame)),
    headers: { 'Content-Type': 'application/cbor', 'X-CSRF-Token': door.csrf },
    redirect: 'manual',
  }).catch((error: unknown) => {
    throw new NotSent(String(error))
  })
  if (response.type === 'opaqueredirect' || response.status === 401 || response.status === 403) throw new SignedOut()
  if (!response.ok) {
    const reason = `the relay answered ${response.status}`
    if (response.status < 500 && !LATER.includes(response.status)) throw new Error(reason)
    const waitS = Number(response.headers.get('Retry-After') ?? NaN)
    throw new NotSent(reason, Number.isFinite(waitS) ? waitS * 1000 : null)
  }
  const body = await response.arrayBuffer().catch((error: unknown) => {
    throw new NotSent(String(error))
  })
  const answers = read(new Uint8Array(body))
  if (answers.length !== batch.length) throw new NotSent('a family was left without an answer')
  return answers
}

/** The answers of a body; throws `NotSent` for bytes that are none. What a newer relay adds is passed over. */
export function read(bytes: Bytes): Answer[] {
  try {
    return decodeAll(bytes).map(answer)
  } catch (error) {
    if (error instanceof NotCbor) throw new NotSent(error.message)
    throw error
  }
}

function answer(frame: Cbor): Answer {
  const [kind, body] = list(frame)
  const fields = list(body)
  if (kind === ENROLLED) {
    const [caseCode, scope, active] = fields
    if (typeof caseCode === 'string' && isWhole(scope) && typeof active === 'boolean') {
      return { caseCode, scope: BigInt(scope), active }
    }
  }
  if (kind === REFUSED) {
    const [code, text, , retryMs] = fields
    if (typeof code === 'number' && typeof text === 'string') {
      return { code, text, retryMs: typeof retryMs === 'number' ? retryMs : 1000 }
    }
  }
  throw new NotCbor('not an answer')
}

function list(value: Cbor | undefined): readonly Cbor[] {
  if (!Array.isArray(value)) throw new NotCbor('not an array')
  return value
}

function isWhole(value: Cbor | undefined): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint'
}

/** Whether the relay had no time: it may have taken the family in a try whose answer was lost. */
export function isToWait(answer: Answer): boolean {
  return 'code' in answer && (answer.code === SLOW_DOWN || answer.code === UNAVAILABLE)
}
