// What stands in a family's log: a kind and a body (docs/PROTOCOL.md, 6). What a phone does not know stays as it came.

import { toHex, type Bytes } from '../bytes.ts'
import { NotCbor, decode, encode, type Cbor } from '../codec.ts'
import type { DeviceId, Epoch, MemberId, Millis, Ref, Scope } from './id.ts'
import {
  between, bytes, fields, flag, list, millis, numbers, orNull, readers, ref, scope, sparse, text, u32,
  type Body, type Shape,
} from './shape.ts'

export interface LogEntry {
  readonly seq: number
  readonly at: Millis
  readonly content: Content
}

/** When: civil times on the clock of `zone`, `rrule` as in RFC 5545; absent is once. */
export interface Rule {
  readonly start: string
  readonly zone: string
  readonly rrule: string | null
  readonly also: readonly string[]
  readonly except: readonly string[]
}

export interface IntendedRule {
  readonly rule: Rule
  readonly toleranceMinutes: number | null
}

/** Where a fired message came from, and what its seal needs beside the message's own fields. */
export interface Fired {
  /** Nonce of the seal. */
  readonly bodyRef: Ref
  readonly schedule: Ref
  /** Civil time in the schedule's zone, before any shift. */
  readonly planned: string
  readonly dueAt: Millis
  /** 1 out of a gap of the clocks, 2 the first of two. */
  readonly adjust: number | null
  /** As sealed. */
  readonly validFor: Millis | null
  /** Of the schedule, by which it fired. */
  readonly version: number
}

export interface Message {
  readonly type: 'message'
  /** 1 text, 2 voice, 3 picture, 4 reminder, 5 name. */
  readonly kind: number
  /** That sealed it. */
  readonly device: DeviceId
  readonly from: MemberId
  /** Of a fired one the occurrence's, not the nonce. */
  readonly ref: Ref
  readonly epoch: Epoch
  /** Empty is for all. */
  readonly to: readonly MemberId[]
  readonly sealed: Bytes
  readonly key: string | null
  readonly until: Millis | null
  readonly blob: Ref | null
  readonly fired: Fired | null
}

/** How far a message came with a member (docs/PROTOCOL.md, 10). */
export const Rung = { device: 1, opened: 2, played: 3, shown: 4, done: 5 } as const

/** The share of a voice that is heard, at least, in percent: less was only begun. */
export const HEARD = 50

/** Whether the message speaks to that member. */
export function isFor({ from, to }: Pick<Message, 'from' | 'to'>, member: MemberId): boolean {
  return from !== member && (to.length === 0 || to.includes(member))
}

export interface Receipt {
  readonly type: 'receipt'
  readonly device: DeviceId
  readonly from: MemberId
  readonly of: Ref
  readonly to: MemberId
  /** 2 opened, 3 played, 4 shown, 5 done. */
  readonly rung: number
  readonly at: Millis
  /** Of a played one, in percent. */
  readonly share: number | null
}

export interface Schedule {
  readonly type: 'schedule'
  readonly id: Ref
  readonly device: DeviceId
  readonly from: MemberId
  readonly to: readonly MemberId[]
  readonly rule: Rule
  /** 1 active, 2 cancelled, 3 spent, 4 paused. */
  readonly state: number
  readonly bank: boolean
  readonly version: number
}

export interface ConsentTerms {
  readonly version: number | null
  readonly language: string | null
  readonly how: number | null
  readonly witnessed: boolean | null
  readonly until: string | null
}

export interface Consent {
  readonly type: 'consent'
  readonly member: MemberId
  readonly consentOn: string | null
  readonly assentOn: string | null
  readonly countingOn: string | null
  readonly countingAssentOn: string | null
  readonly withdrawnOn: string | null
  readonly countingWithdrawnOn: string | null
  readonly terms: ConsentTerms | null
  readonly countingTerms: ConsentTerms | null
  readonly guardianWithdrawnOn: string | null
  readonly countingGuardianWithdrawnOn: string | null
  readonly bornIn: string | null
  readonly ownWordAge: number | null
}

/** A new phone asks to be let in. Nothing of it is to be trusted before two people have compared the digits. */
export interface PhoneRequest {
  readonly type: 'request'
  readonly members: readonly MemberId[]
  readonly signPub: Bytes
  readonly hpkePub: Bytes
  readonly codeHash: Bytes
  readonly expiresAt: Millis
}

export interface Notice {
  readonly type: 'notice'
  readonly to: MemberId
  /** 1 missed, 2 expired, 3 low, 4 stopped. */
  readonly what: number
  readonly schedule: Ref | null
  readonly planned: string | null
  readonly dueAt: Millis | null
  readonly of: Ref | null
  readonly members: readonly MemberId[]
  readonly left: number | null
}

/** Stands where a message was that is worth nothing any more. */
export interface Tombstone {
  readonly type: 'tombstone'
  readonly from: MemberId
  readonly ref: Ref
  readonly to: readonly MemberId[]
  readonly until: Millis
  readonly dueAt: Millis | null
}

/** Days on which nothing is expected. */
export interface Pause {
  readonly type: 'pause'
  readonly number: number
  readonly first: string
  readonly last: string
  /** 1 a parent is at home, 2 the child is with a parent, 3 exams, 4 the phone is broken. */
  readonly reason: number
  readonly staff: DeviceId
  readonly withdrawn: boolean
}

/** In whose figures the family is. */
export interface Placement {
  readonly type: 'placement'
  readonly programme: Scope
  readonly caseCode: string
  readonly site: string | null
  readonly since: Millis
  readonly care: number | null
}

export interface Leaving {
  readonly type: 'leaving'
  /** 0 for staff. */
  readonly by: MemberId
  /** All of the family is deleted then; null: that was taken back. */
  readonly until: Millis | null
  readonly agreed: readonly MemberId[]
}

/** A time in which a member writes nothing. */
export interface Suspended {
  readonly from: Millis
  readonly until: Millis | null
  readonly reason: number
  readonly staff: DeviceId
}

export type Content = Message | Receipt | Schedule | Consent | PhoneRequest | Notice | Tombstone | Pause | Placement
  | Leaving
  | { readonly type: 'link', readonly link: Bytes }
  | { readonly type: 'wraps', readonly number: Epoch, readonly wraps: Bytes }
  | { readonly type: 'member', readonly member: MemberId, readonly zone: string, readonly language: string }
  | { readonly type: 'plan', readonly by: MemberId, readonly rules: readonly IntendedRule[] }
  | { readonly type: 'proposal', readonly staff: DeviceId, readonly rules: readonly IntendedRule[] }
  | { readonly type: 'nudge', readonly child: MemberId, readonly whom: number }
  | { readonly type: 'suspension', readonly member: MemberId, readonly times: readonly Suspended[] }
  | { readonly type: 'unknown', readonly kind: number, readonly body: Cbor }

type Clear = Exclude<Content, Message | { type: 'unknown' }>

/** Kinds that devices seal begin with 1 and end here. */
const LAST_SEALED = 5

/** Bytes of a public key, of a hash. */
const [KEY, HASH] = [65, 32]

export const RULE: Shape<Rule> = fields({
  start: text, zone: text, rrule: orNull(text), also: sparse(list(text), []), except: sparse(list(text), []),
})

export const INTENDED = list<IntendedRule>(fields({ rule: RULE, toleranceMinutes: orNull(u32) }))

/** Out of a gap of the clocks, or the first of two. */
export const ADJUST = orNull(between(1, 2))

export const RUNG = between(1, 5)

export const SHARE = orNull(between(0, 100))

export const STATE = between(1, 4)

const MESSAGE: Shape<Omit<Message, 'type' | 'kind'>> = fields({
  device: u32,
  from: u32,
  ref,
  epoch: u32,
  to: numbers,
  sealed: bytes(),
  key: orNull(text),
  until: orNull(millis),
  blob: orNull(ref),
  fired: orNull(fields<Fired>({
    bodyRef: ref,
    schedule: ref,
    planned: text,
    dueAt: millis,
    adjust: ADJUST,
    validFor: orNull(millis),
    version: sparse(u32, 0),
  })),
})

const TERMS = orNull(fields<ConsentTerms>({
  version: orNull(u32),
  language: orNull(text),
  how: orNull(between(1, 5)),
  witnessed: orNull(flag),
  until: orNull(text),
}))

const CLEAR: { readonly [Type in Clear['type']]: readonly [number, Shape<Body<Clear, Type>>] } = {
  link: [16, fields({ link: bytes() })],
  wraps: [17, fields({ number: u32, wraps: bytes() })],
  receipt: [18, fields({ device: u32, from: u32, of: ref, to: u32, rung: RUNG, at: millis, share: SHARE })],
  schedule: [19, fields({
    id: ref,
    device: u32,
    from: u32,
    to: numbers,
    rule: RULE,
    state: STATE,
    bank: sparse(flag, false),
    version: sparse(u32, 0),
  })],
  member: [20, fields({ member: u32, zone: text, language: text })],
  consent: [21, fields({
    member: u32,
    consentOn: orNull(text),
    assentOn: orNull(text),
    countingOn: orNull(text),
    countingAssentOn: orNull(text),
    withdrawnOn: orNull(text),
    countingWithdrawnOn: orNull(text),
    terms: TERMS,
    countingTerms: TERMS,
    guardianWithdrawnOn: orNull(text),
    countingGuardianWithdrawnOn: orNull(text),
    bornIn: orNull(text),
    ownWordAge: orNull(u32),
  })],
  request: [22, fields({
    members: numbers, signPub: bytes(KEY), hpkePub: bytes(KEY), codeHash: bytes(HASH), expiresAt: millis,
  })],
  notice: [23, fields({
    to: u32,
    what: between(1, 4),
    schedule: orNull(ref),
    planned: orNull(text),
    dueAt: orNull(millis),
    of: orNull(ref),
    members: sparse(numbers, []),
    left: orNull(u32),
  })],
  tombstone: [24, fields({ from: u32, ref, to: numbers, until: millis, dueAt: orNull(millis) })],
  plan: [26, fields({ by: u32, rules: INTENDED })],
  proposal: [27, fields({ staff: u32, rules: INTENDED })],
  pause: [28, fields({
    number: u32, first: text, last: text, reason: between(1, 4), staff: u32, withdrawn: sparse(flag, false),
  })],
  placement: [29, fields({
    programme: scope, caseCode: text, site: orNull(text), since: millis, care: orNull(between(1, 8)),
  })],
  nudge: [30, fields({ child: u32, whom: between(0, 2) })],
  suspension: [31, fields({
    member: u32,
    times: list<Suspended>(fields({ from: millis, until: orNull(millis), reason: between(1, 3), staff: u32 })),
  })],
  leaving: [32, fields({ by: u32, until: orNull(millis), agreed: numbers })],
}

const READERS = readers<Content>(CLEAR)

/** What was read, as it came: with what a newer version may have behind the fields that are known here. */
const CAME = new WeakMap<Content, Cbor>()

/** Throws `NotCbor` where a field is missing or is not what it should be. */
export function decodeContent(kind: number, body: Cbor): Content {
  const content: Content = kind >= 1 && kind <= LAST_SEALED
    ? { type: 'message', kind, ...MESSAGE.read(body) }
    : READERS.get(kind)?.(body) ?? { type: 'unknown', kind, body }
  CAME.set(content, body)
  return content
}

/** CBOR `[kind, body]`; of what was read byte for byte as it came. */
export function encodeContent(content: Content): Bytes {
  const [kind, body] = parts(content)
  return encode([kind, CAME.get(content) ?? body()])
}

function parts(content: Content): readonly [number, () => Cbor] {
  if (content.type === 'message') return [content.kind, () => MESSAGE.write(content)]
  if (content.type === 'unknown') return [content.kind, () => content.body]
  const [kind, shape] = CLEAR[content.type] as readonly [number, Shape<Clear>]
  return [kind, () => shape.write(content)]
}

/** What a newer fact supersedes; null for what is no fact, or a link that does not read. */
export function factKey(content: Content): string | null {
  switch (content.type) {
    case 'message':
      return content.key
    case 'link':
      return linkKey(content.link)
    case 'receipt':
      return `receipt/${content.of}/${content.from}`
    case 'schedule':
      return `schedule/${content.id}`
    case 'request':
      return `request/${toHex(content.codeHash.subarray(0, 16))}`
    case 'pause':
      return `pause/${String(content.number).padStart(6, '0')}`
    case 'proposal':
      return 'plan/proposed'
    case 'member':
    case 'consent':
    case 'suspension':
      return `${content.type}/${content.member}`
    case 'nudge':
      return `nudge/${content.child}`
    case 'wraps':
    case 'plan':
    case 'placement':
    case 'leaving':
      return content.type
    case 'notice':
    case 'tombstone':
    case 'unknown':
      return null
  }
}

const LINK = fields<{ body: Bytes }>({ body: bytes() })
const LINK_BODY = fields<{ version: number, number: number }>({ version: u32, number: u32 })

/** The number stands in the signed body; whoever follows the link reads that strictly. */
function linkKey(link: Bytes): string | null {
  try {
    const { number } = LINK_BODY.read(decode(LINK.read(decode(link)).body))
    return `link/${String(number).padStart(10, '0')}`
  } catch (error) {
    if (error instanceof NotCbor) return null
    throw error
  }
}
