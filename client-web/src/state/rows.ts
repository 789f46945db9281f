// What one phone keeps, table by table. A row is never changed: another takes its place.

import type { Bytes } from '../bytes.ts'
import type { Content, Message } from '../proto/entry.ts'
import type { ClientFrame, Command } from '../proto/frame.ts'
import type { Cursor, DeviceId, Epoch, MemberId, Millis, Ref, Scope } from '../proto/id.ts'
import type { Text } from '../proto/text.ts'
import type { State } from '../roster/apply.ts'
import type { OwnKeys } from '../seal/keys.ts'

/** Who this phone is in one family, and how far it has read and sent. */
export interface LaneRow {
  readonly scope: Scope
  /** Families stand in the order in which this phone came to them. */
  readonly order: number
  /** Of the invite by which it came in. */
  readonly code: Bytes
  /** Of its token. */
  readonly secret: Bytes
  readonly keys: OwnKeys
  /** 0, which no device has, until the relay has let it in. */
  readonly device: DeviceId
  /** How it shall come in, perhaps anew: until then all stays as it was. */
  readonly joining: Joining | null
  /** Of the link by which it joined, and so of the whole chain before it: no log with another is this family's. */
  readonly joinHash: Bytes
  readonly cursor: Cursor | null
  /** The last link on the way to the cursor: the epoch in force there. */
  readonly logEpoch: Epoch
  /** The last counter that the relay is known to have used. */
  readonly lastN: number
  readonly cursorsAt: Millis | null
  /** Why nothing is sealed, for whoever helps; null if all is well. */
  readonly broken: string | null
  /** Why the relay keeps the outbox waiting. */
  readonly waits: Waits | null
  readonly retryAt: Millis | null
  readonly ended: Ended | null
  /** After all links that were checked. */
  readonly roster: State
  /** The newest link's, as received. */
  readonly wraps: { readonly number: Epoch, readonly bytes: Bytes } | null
  /** Up to which link somebody here was told of changes; what was before its own join is told to nobody. */
  readonly told?: Epoch
  /** Up to which removal the letters of phones that are out were asked for. */
  readonly takenOn: Epoch
}

/** A join as it is sent, and what it makes of this phone. */
export interface Joining {
  readonly frame: ClientFrame & { readonly type: 'join' }
  readonly secret: Bytes
  readonly keys: OwnKeys
  /** Hashes of its chain, the link by which it joins the last. */
  readonly chain: readonly Bytes[]
  readonly names: ReadonlyMap<MemberId, string>
  /** Who tells the others everybody's name: of the phone that writes link 2. */
  readonly namer: MemberId | null
}

export type Waits = 'notActive' | 'slowDown' | 'unavailable' | 'turnFirst' | 'newer'
export type Ended = 'removed' | 'newChain' | 'erased'

export interface FactRow { readonly seq: number, readonly at: Millis, readonly content: Content }

/** A sealed entry, and what became of it. */
export interface MessageRow {
  /** How many were here before it: its place in the log is the relay's to say. */
  readonly arrived: number
  readonly generation: number
  readonly seq: number
  readonly at: Millis
  /** As it came first; without what is sealed once that is opened. */
  readonly message: Message
  readonly text: Text | null
  /** Why it is not shown. 'again': its bank released it before. */
  readonly refused: 'unopened' | 'unsafe' | 'again' | null
}

/** How far a message came with a member: the best rung, of a played one with the largest share. */
export interface Heard { readonly rung: number, readonly at: Millis, readonly share: number | null }

export interface ReachedRow {
  readonly seq: number
  readonly at: Millis
  /** Up to here it was looked at what that means for receipts. */
  readonly derived: number
}

/** A command until the relay has it, and 30 days more: its journal. */
export interface SentRow {
  /** Its place among the commands. */
  readonly order: number
  /** With n and epoch 0, and the text in the place of its seal: what was said never changes. */
  readonly frame: Command
  /** The schedule that it speaks of. */
  readonly about: Ref | null
  readonly at: Millis
  /** Its counter, on disk before it is sent. */
  readonly n: number | null
  /** The first key under which the relay may have it. */
  readonly epoch: Epoch | null
  /** Its place, 0 where it adds no entry; null while it waits. */
  readonly seq: number | null
  /** By the relay's clock. */
  readonly doneAt: Millis | null
  /** Code of a refusal for good. */
  readonly refused: number | null
}

/** How a member is shown on this phone. */
export interface FaceRow {
  readonly picture: number | null
  readonly pin: { readonly salt: Bytes, readonly hash: Bytes } | null
}

/** A held letter; its text is null while its key is not here. */
export interface GivenRow { readonly message: Message, readonly text: Text | null }

/** Stored bytes of a voice note, which are here: apart from this, as all of them would fill a phone's memory. */
export interface SoundRow {
  readonly hash: Bytes
  /** The relay was told of it. */
  readonly isBegun: boolean
  /** The relay has all of it, or it came from there. */
  readonly isDone: boolean
}

/** By table, what stands under a key of a family. */
export interface Rows {
  readonly lane: LaneRow
  readonly link: { readonly link: Bytes, readonly at: Millis }
  readonly key: Bytes
  readonly name: string
  readonly fact: FactRow
  readonly message: MessageRow
  readonly receipt: Heard
  readonly reached: ReachedRow
  readonly outbox: SentRow
  /** The key under which the relay has a held body. */
  readonly held: Epoch
  /** What the relay is asked to give back: after which body. */
  readonly asked: Ref | null
  /** What a schedule held when it was given back last, in the order of release. */
  readonly given: readonly GivenRow[]
  readonly face: FaceRow
  readonly sound: SoundRow
}

export type Table = keyof Rows
export type Tables = { readonly [T in Table]: ReadonlyMap<string, Rows[T]> }

export const TABLES: readonly Table[] = [
  'lane', 'link', 'key', 'name', 'fact', 'message', 'receipt', 'reached', 'outbox', 'held', 'asked', 'given', 'face',
  'sound',
]

