// Frames: what travels between a phone and the relay, on a WebSocket or in one `POST /1` (docs/PROTOCOL.md, 2 to 11).

import type { Bytes } from '../bytes.ts'
import { NotCbor, decodeAll, encode, type Cbor } from '../codec.ts'
import {
  ADJUST, INTENDED, RULE, RUNG, SHARE, STATE, decodeContent,
  type Content, type IntendedRule, type LogEntry, type Rule,
} from './entry.ts'
import type { Cursor, DeviceId, Epoch, InviteId, MemberId, Millis, Ref, Scope } from './id.ts'
import {
  any, between, bytes, count, fields, flag, list, millis, numbers, orNull, readers, ref, scope, sparse, text, u32,
  type Body, type Reads, type Shape,
} from './shape.ts'

/** What the relay keeps of an invite beside the roster. */
export interface Card { readonly invite: InviteId, readonly codeHash: Bytes, readonly blob: Bytes }
/** What the relay asks a family to close: staff voided it, or it expired. */
export interface ToClose { readonly devices: readonly DeviceId[], readonly invites: readonly InviteId[] }

// What a phone says. `n` is the device's own counter, `ref` the command's name, `from` in whose name it is.

interface Numbered { readonly n: number, readonly ref: Ref }
interface InName extends Numbered { readonly from: MemberId }

export interface Post extends InName {
  readonly type: 'post'
  readonly epoch: Epoch
  readonly to: readonly MemberId[]
  readonly kind: number
  readonly sealed: Bytes
  readonly key: string | null
  readonly until: Millis | null
  readonly blob: Ref | null
}

/** A body that waits for its schedule; `ref` is the body's name, also where `again` is the command's. */
export interface Hold extends InName {
  readonly type: 'hold'
  readonly epoch: Epoch
  readonly to: readonly MemberId[]
  readonly kind: number
  readonly sealed: Bytes
  readonly schedule: Ref
  readonly validFor: Millis | null
  readonly blob: Ref | null
  readonly again: Ref | null
  readonly replaces: Ref | null
}

export interface Report extends InName {
  readonly type: 'report'
  readonly of: Ref
  readonly to: MemberId
  /** 2 opened, 3 played, 4 shown, 5 done. */
  readonly rung: number
  readonly at: Millis
  readonly share: number | null
}

export interface Plan extends InName {
  readonly type: 'plan'
  readonly to: readonly MemberId[]
  readonly rule: Rule
  /** 1 active, 2 cancelled, 4 paused. */
  readonly state: number
  readonly schedule: Ref | null
  readonly bank: boolean
  readonly seen: number | null
}

export interface Intend extends InName {
  readonly type: 'intend'
  readonly rules: readonly IntendedRule[]
  readonly seen: number | null
}

export interface Withdraw extends InName {
  readonly type: 'withdraw'
  readonly of: readonly MemberId[]
  /** 1 taking part, 2 counting. */
  readonly what: number
  readonly on: string
}

export interface AskForHelp extends InName { readonly type: 'help' }
export interface Reach extends InName { readonly type: 'reach', readonly email: string | null }
/** What: 1 delete in time, 2 at once, 3 stay. */
export interface Leave extends InName { readonly type: 'leave', readonly what: number }

export interface Turn extends Numbered {
  readonly type: 'turn'
  readonly link: Bytes
  readonly wraps: Bytes
  readonly cards: readonly Card[]
}

/** What has a ref and an n, and waits in the outbox. */
export type Command = Post | Hold | Report | Plan | Intend | Withdraw | AskForHelp | Reach | Leave | Turn

/** Asks a family to let this phone in. */
export interface Request {
  readonly type: 'request'
  readonly scope: Scope
  readonly code: Bytes
  readonly signPub: Bytes
  readonly hpkePub: Bytes
  readonly codeHash: Bytes
}

/** Asks when a rule happens, on several clocks. */
export interface Preview {
  readonly type: 'preview'
  readonly rule: Rule
  readonly zones: readonly string[]
  readonly count: number
  readonly after: Millis | null
}

export type ClientFrame = Command | Request | Preview
  | { readonly type: 'hello', readonly token: Bytes, readonly cursor: Cursor | null, readonly cursorsAt: Millis | null }
  | { readonly type: 'ack', readonly seq: number, readonly tag: number }
  | { readonly type: 'beat' }
  | { readonly type: 'look', readonly scope: Scope, readonly code: Bytes }
  | { readonly type: 'join', readonly scope: Scope, readonly code: Bytes, readonly link: Bytes, readonly wraps: Bytes }
  | { readonly type: 'handIn', readonly scope: Scope, readonly links: readonly Bytes[], readonly wraps: Bytes }
  | { readonly type: 'giveBack', readonly schedule: Ref, readonly after: Ref | null }

// What the relay says.

export interface Welcome {
  readonly type: 'welcome'
  readonly now: Millis
  readonly lastN: number
  readonly generation: number
  /** The cursor does not stand in this log: read it again from 0. */
  readonly restart: boolean
}

export interface Entries {
  readonly type: 'entries'
  readonly after: number
  readonly upto: number
  readonly tag: number
  readonly floor: number
  readonly entries: readonly LogEntry[]
}

export interface Posted {
  readonly type: 'posted'
  readonly n: number
  readonly ref: Ref
  /** 0 where it added no entry. */
  readonly seq: number
  readonly at: Millis
}

export interface Refused {
  readonly type: 'refused'
  /** One of `Refusal`, or of a newer relay. */
  readonly code: number
  readonly text: string
  readonly n: number | null
  readonly retryAfter: Millis | null
  readonly lastN: number | null
  readonly toClose: ToClose | null
}

export interface Invited {
  readonly type: 'invited'
  readonly invite: InviteId
  readonly blob: Bytes
  readonly links: readonly Bytes[]
  readonly wraps: Bytes | null
  readonly expiresAt: Millis
}

/** On each of the clocks asked for; `shifts` where the clock and the rule's are not as far apart as the time before. */
export interface Occurrence {
  readonly at: Millis
  readonly planned: string
  readonly adjust: number | null
  readonly clocks: readonly { readonly local: string, readonly shifts: boolean }[]
}

export interface Previewed { readonly type: 'previewed', readonly occurrences: readonly Occurrence[] }
export interface Reached { readonly device: DeviceId, readonly seq: number, readonly at: Millis }

/** The request stands: both screens show the digits to compare. */
export interface Requested {
  readonly type: 'requested'
  /** Hash of the family's link 1. */
  readonly firstLink: Bytes
  readonly members: readonly MemberId[]
  readonly expiresAt: Millis
}

/** Bodies that a schedule holds, in the order in which they will be released: of each the items kind and body. */
export interface GivenBack {
  readonly type: 'givenBack'
  readonly schedule: Ref
  readonly bodies: readonly Bytes[]
  readonly more: boolean
}

export type RelayFrame = Welcome | Entries | Posted | Refused | Invited | Previewed | Requested | GivenBack
  | { readonly type: 'cursors', readonly reached: readonly Reached[] }
  | { readonly type: 'beaten', readonly now: Millis }
  | { readonly type: 'joined', readonly device: DeviceId, readonly seq: number }
  | { readonly type: 'handedIn', readonly epoch: Epoch }
  | { readonly type: 'unknown', readonly kind: number }

/** Why a command was not done, and what a phone then does: docs/PROTOCOL.md, 11. */
export const Refusal = {
  MALFORMED: 1, UNKNOWN_KIND: 2, TOO_LARGE: 3, UNAUTHORISED: 4, NOT_ACTIVE: 5, EPOCH_OLD: 6, STALE: 7, RENUMBER: 8,
  NOT_ALLOWED: 9, INVITE: 10, SLOW_DOWN: 11, UNAVAILABLE: 12, BAD_LINK: 13, BAD_RULE: 14, FULL: 15, EXISTS: 16,
  UNKNOWN: 17, HELLO_FIRST: 18, TURN_FIRST: 19, NEW_CHAIN: 20, STORE_FIRST: 21, ERASED: 22,
} as const

/** Links of a roster in one answer: as many as fit. */
const MAX_LINKS = 32_768

const MAX_LANE = 255

const HASH = 32

const TO_CLOSE: Shape<ToClose> = fields({ devices: numbers, invites: numbers })

const CARD: Shape<Card> = fields({ invite: u32, codeHash: bytes(HASH), blob: bytes() })

const NUMBERED = { n: count, ref }
const IN_NAME = { ...NUMBERED, from: u32 }

const SAYS: { readonly [Type in ClientFrame['type']]: readonly [number, Shape<Body<ClientFrame, Type>>] } = {
  hello: [1, fields({
    token: bytes(),
    cursor: orNull(fields<Cursor>({ generation: u32, seq: count, tag: u32 })),
    cursorsAt: orNull(millis),
  })],
  post: [2, fields({
    ...NUMBERED,
    epoch: u32,
    from: u32,
    to: numbers,
    kind: u32,
    sealed: bytes(),
    key: orNull(text),
    until: orNull(millis),
    blob: orNull(ref),
  })],
  ack: [3, fields({ seq: count, tag: u32 })],
  report: [4, fields({ ...IN_NAME, of: ref, to: u32, rung: RUNG, at: millis, share: SHARE })],
  hold: [5, fields({
    ...NUMBERED,
    epoch: u32,
    from: u32,
    to: numbers,
    kind: u32,
    sealed: bytes(),
    schedule: ref,
    validFor: orNull(millis),
    blob: orNull(ref),
    again: orNull(ref),
    replaces: orNull(ref),
  })],
  plan: [6, fields({
    ...IN_NAME,
    to: numbers,
    rule: RULE,
    state: STATE,
    schedule: orNull(ref),
    bank: sparse(flag, false),
    seen: orNull(u32),
  })],
  turn: [7, fields({ ...NUMBERED, link: bytes(), wraps: bytes(), cards: list(CARD) })],
  look: [8, fields({ scope, code: bytes() })],
  join: [9, fields({ scope, code: bytes(), link: bytes(), wraps: bytes() })],
  beat: [10, fields({})],
  request: [32, fields({ scope, code: bytes(), signPub: bytes(), hpkePub: bytes(), codeHash: bytes() })],
  handIn: [33, fields({ scope, links: list(bytes()), wraps: bytes() })],
  preview: [34, fields({ rule: RULE, zones: list(text), count: u32, after: orNull(millis) })],
  giveBack: [35, fields({ schedule: ref, after: orNull(ref) })],
  intend: [36, fields({ ...IN_NAME, rules: INTENDED, seen: orNull(count) })],
  withdraw: [37, fields({ ...IN_NAME, of: numbers, what: u32, on: text })],
  help: [38, fields(IN_NAME)],
  reach: [39, fields({ ...IN_NAME, email: orNull(text) })],
  leave: [40, fields({ ...IN_NAME, what: u32 })],
}

const PAGE = fields<{ after: number, upto: number, tag: number, floor: number, steps: readonly Step[] }>({
  after: count,
  upto: count,
  tag: u32,
  floor: count,
  steps: list<Step>(fields({ seq: between(1, Number.MAX_SAFE_INTEGER), at: millis, kind: u32, body: any })),
})

/** An entry as it travels: against the one before. */
interface Step { readonly seq: number, readonly at: Millis, readonly kind: number, readonly body: Cbor }

type Known = Exclude<RelayFrame, { type: 'unknown' }>

const HEARS: { readonly [Type in Known['type']]: readonly [number, Reads<Body<Known, Type>>] } = {
  welcome: [16, fields({ now: millis, lastN: count, generation: u32, restart: sparse(flag, false) })],
  entries: [17, { read: readEntries }],
  posted: [18, fields({ n: count, ref, seq: count, at: millis })],
  refused: [19, fields({
    code: u32, text, n: orNull(count), retryAfter: orNull(u32), lastN: orNull(count), toClose: orNull(TO_CLOSE),
  })],
  cursors: [20, fields({ reached: list<Reached>(fields({ device: u32, seq: count, at: millis })) })],
  beaten: [21, fields({ now: millis })],
  invited: [24, fields({
    invite: u32, blob: bytes(), links: list(bytes(), MAX_LINKS), wraps: orNull(bytes()), expiresAt: millis,
  })],
  joined: [25, fields({ device: u32, seq: count })],
  requested: [28, fields({ firstLink: bytes(HASH), members: numbers, expiresAt: millis })],
  handedIn: [29, fields({ epoch: u32 })],
  previewed: [30, fields({
    occurrences: list<Occurrence>(fields({
      at: millis, planned: text, adjust: ADJUST, clocks: list(fields({ local: text, shifts: sparse(flag, false) })),
    })),
  })],
  givenBack: [31, fields({ schedule: ref, bodies: list(bytes()), more: sparse(flag, false) })],
}

const READERS = readers<RelayFrame>(HEARS)

const ENVELOPE = fields<{ kind: number, body: Cbor, lane: number }>({
  kind: u32, body: any, lane: sparse(between(0, MAX_LANE), 0),
})

/** Lane 0 is the first on a connection. */
export function encodeFrame(frame: ClientFrame, lane = 0): Bytes {
  const [kind, shape] = SAYS[frame.type] as readonly [number, Shape<ClientFrame>]
  return encode(ENVELOPE.write({ kind, body: shape.write(frame), lane }))
}

/** Frames one after the other, as a POST's answer or one message of a WebSocket; throws `NotCbor`. */
export function decodeFrames(bytes: Bytes): { readonly lane: number, readonly frame: RelayFrame }[] {
  return decodeAll(bytes).map(item => {
    const { kind, body, lane } = ENVELOPE.read(item)
    return { lane, frame: READERS.get(kind)?.(body) ?? { type: 'unknown', kind } }
  })
}

function readEntries(body: Cbor): Omit<Entries, 'type'> {
  const { after, upto, tag, floor, steps } = PAGE.read(body)
  let [seq, at] = [after, 0]
  const entries = steps.map(step => {
    seq += step.seq
    at += step.at
    return { seq, at: millis.read(at), content: readContent(step) }
  })
  if (seq > upto) throw new NotCbor('upto')
  return { after, upto, tag, floor, entries }
}

// What somebody of the family wrote may not keep the rest from being read: it stays as it came, and is not shown.
function readContent({ kind, body }: Step): Content {
  try {
    return decodeContent(kind, body)
  } catch (error) {
    if (error instanceof NotCbor) return { type: 'unknown', kind, body }
    throw error
  }
}
