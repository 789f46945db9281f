// The seam between what works (sync, voice) and what is shown (screens). Views are plain, immutable objects; a new one is
// handed to the screens whenever something changed.

import type { MemberId, DeviceId, InviteId, Millis, Ref } from './proto/id.ts'
import type { Role } from './roster/link.ts'

export interface View {
  /** Families on this phone, in the order in which it joined them. */
  readonly families: readonly FamilyView[]
  readonly line: LineState
  /** The relay's clock less this phone's, in ms, once it was heard: a phone may believe that it is 1970. */
  readonly clock: Millis
  readonly settings: Settings
  /** Bytes of this month, both ways, as far as the page can count them. */
  readonly used: { readonly month: string, readonly up: number, readonly down: number }
}

/** 'closed': another tab of this phone, or another connection of it, is at work. */
export type LineState = 'live' | 'connecting' | 'offline' | 'closed'

export interface Settings {
  /** BCP 47, one of ours; null: the browser's. */
  readonly language: string | null
  /** Scale of text: 1, 1.25, 1.5, 2. */
  readonly textSize: number
  /** Minutes after midnight on this phone; null: none. */
  readonly quiet: { readonly from: number, readonly until: number } | null
  /** MB a month after which the page asks before it fetches; null: never. */
  readonly capMb: number | null
  /** Voice notes are fetched before somebody asks: never, on Wi-Fi (where the browser tells), always. */
  readonly fetchAhead: 'never' | 'wifi' | 'always'
  /** Prompts are spoken when a screen opens. */
  readonly speak: boolean
}

/** The face of who has chosen none: those of one number in the many families of a phone differ. */
export function ownFace(member: MemberId, family: number): number {
  return member + 7 * family
}

/** How a member is shown on this phone alone. */
export interface Face {
  /** Number of a drawn face. */
  readonly picture: number
  /** Whether its letters are behind secret pictures. */
  readonly hasPin: boolean
}

export interface MemberView {
  readonly id: MemberId
  readonly role: Role
  /** From the card or the family; may be hostile text: shown as text with `dir="auto"` and isolated. */
  readonly name: string
  /** IANA, BCP 47. */
  readonly zone: string
  readonly language: string
  /** This phone serves it. */
  readonly isServed: boolean
  readonly face: Face
}

export interface FamilyView {
  /** Scope as decimal text. */
  readonly id: string
  readonly members: readonly MemberView[]
  readonly letters: readonly LetterView[]
  readonly schedules: readonly ScheduleView[]
  /** What is intended, and what staff propose: rules as on the wire. */
  readonly plan: { readonly rules: readonly RuleView[] } | null
  readonly proposal: { readonly rules: readonly RuleView[] } | null
  /** Why nothing is sent just now, or will be any more. */
  readonly trouble: Trouble | null
  /** Commands that wait to be sent. */
  readonly waiting: number
  /** What the relay will never take, and nobody has put away; of a schedule once. `from`: null where it is the phone's. */
  readonly refused: readonly Refused[]
  readonly phones: readonly PhoneView[]
  /** Open ones. */
  readonly cards: readonly CardView[]
  /** Changes of the roster of the last 30 days, the newest first. */
  readonly changes: readonly ChangeView[]
  /** Of those what nobody was told on this phone. */
  readonly news: readonly ('joined' | 'removed' | 'changed')[]
  /** Children that would be glad to hear from a parent: this phone is one to say so. */
  readonly nudges: readonly MemberId[]
  readonly consents: readonly ConsentView[]
  readonly leaving: { readonly by: MemberId, readonly until: Millis } | null
}

export interface PhoneView {
  readonly device: DeviceId
  /** Whom it serves. */
  readonly members: readonly MemberId[]
  readonly isThis: boolean
  /** Since when it has all that the relay had then; null where nobody has told. */
  readonly readAt: Millis | null
}

export interface CardView {
  readonly invite: InviteId
  readonly members: readonly MemberId[]
  readonly expiresAt: Millis
}

/** What a link of the roster changed: an op of it. */
export interface ChangeView {
  readonly at: Millis
  readonly what: 'member' | 'card' | 'joined' | 'removed' | 'closed' | 'serves'
  readonly device: DeviceId | null
  readonly invite: InviteId | null
  readonly by: 'staff' | 'phone' | 'card'
  /** For something that staff voided, or that expired. */
  readonly askedByRelay: boolean
}

export interface ConsentView {
  readonly member: MemberId
  /** To taking part. */
  readonly taking: 'agreed' | 'missing' | 'withdrawn' | 'expired'
  readonly counting: boolean
}

export interface Refused {
  readonly ref: Ref
  readonly what: 'letter' | 'schedule' | 'help' | 'plan' | 'withdraw' | 'name' | 'link'
  readonly from: MemberId | null
  /** What was written. */
  readonly text: string | null
}

export type Trouble =
  /** This phone was removed; what is here stays. */
  | { readonly kind: 'removed' } | { readonly kind: 'newChain' } | { readonly kind: 'erased' }
  /** The roster failed a check. */
  | { readonly kind: 'unsafe' }
  /** The programme has not recorded that all take part. */
  | { readonly kind: 'notActive' }
  /** Something else keeps the outbox: it goes on by itself. */
  | { readonly kind: 'waits' }
  /** The phone's store is full: so much is only in memory. */
  | { readonly kind: 'full' }

export interface RuleView { readonly start: string, readonly zone: string, readonly rrule: string | null, readonly toleranceMinutes: number | null }

export interface LetterView {
  readonly ref: Ref
  readonly from: MemberId
  /** Ascending, empty for all. */
  readonly to: readonly MemberId[]
  readonly kind: 'text' | 'voice' | 'picture' | 'reminder'
  readonly text: string
  readonly picture: number | null
  readonly voice: VoiceView | null
  readonly writtenAt: Millis
  /** When the relay had it; null while it waits here. */
  readonly at: Millis | null
  /** Written on this phone, or by a member it serves on another. */
  readonly isOwn: boolean
  /** Of a fired one: civil time in the schedule's zone that it was meant for. */
  readonly planned: string | null
  /** That zone, as far as the schedule is known. */
  readonly zone: string | null
  /** By member: what it reached. Rung 1 device, 2 opened, 3 played, 4 shown to the child, 5 done. */
  readonly reached: ReadonlyMap<MemberId, { readonly rung: number, readonly at: Millis, readonly share: number | null }>
  /** Served members to whom it is, and who have not opened or heard it on this phone. */
  readonly newFor: readonly MemberId[]
  /** 'expired' (a tombstone), or why it is not shown: 'unopened', 'unsafe'; 'refused' by the relay for good. */
  readonly fault: 'expired' | 'unopened' | 'unsafe' | 'refused' | null
}

export interface VoiceView {
  readonly duration: Millis
  /** Bytes. */
  readonly size: number
  /** Where its bytes are; `share` of 1 while they come or go. */
  readonly state: 'here' | 'away' | 'coming' | 'going' | 'gone'
  readonly share: number
}

export interface ScheduleView {
  readonly id: Ref
  readonly from: MemberId
  readonly to: readonly MemberId[]
  readonly rule: RuleView
  readonly state: 'active' | 'paused' | 'cancelled' | 'spent' | 'waits'
  readonly bank: boolean
  /** Letters that wait there, as far as this phone knows. */
  readonly held: readonly { readonly ref: Ref, readonly kind: LetterView['kind'], readonly text: string, readonly voice: VoiceView | null }[]
}

/** One time that something happens, on the clocks asked for. */
export interface OccurrenceView { readonly at: Millis, readonly clocks: readonly { readonly zone: string, readonly local: string, readonly shifts: boolean }[], readonly adjust: 'gap' | 'overlap' | null }

/** What is said: drafts never change once they are given. */
export type Said =
  | { readonly kind: 'text', readonly text: string }
  | { readonly kind: 'voice', readonly recorded: Recorded }
  | { readonly kind: 'picture', readonly picture: number }

/** A sound just recorded, on this phone only. */
export interface Recorded { readonly blob: Blob, readonly duration: Millis, readonly mediaType: string }

/** Which family. */
export type FamilyId = string

export interface Actions {
  // -- joining
  /** Reads a link and asks the relay what it opens; nothing is used up. Throws `Problem`. */
  look(link: string): Promise<Looked>
  /** The tap: joins all of it. Throws `Problem`. */
  join(looked: Looked): Promise<void>
  // -- letters
  send(family: FamilyId, from: MemberId, to: readonly MemberId[], said: Said): Promise<Ref>
  /** Held, then planned: once, repeated, or a bank of several letters. */
  schedule(family: FamilyId, from: MemberId, to: readonly MemberId[], rule: RuleView, said: readonly Said[], bank: boolean, validFor: Millis | null): Promise<Ref>
  addToBank(family: FamilyId, schedule: Ref, said: Said): Promise<void>
  changeSchedule(family: FamilyId, schedule: Ref, state: 'active' | 'paused' | 'cancelled'): Promise<void>
  preview(family: FamilyId, rule: RuleView, zones: readonly string[], count: number): Promise<readonly OccurrenceView[]>
  /** A letter was opened, played so far (percent), shown to the child, done, for a member this phone serves. */
  report(family: FamilyId, ref: Ref, member: MemberId, rung: 'opened' | 'played' | 'shown' | 'done', share?: number): Promise<void>
  // -- voice
  /** The sound, fetched where it is not here. Throws `Problem`. */
  sound(family: FamilyId, ref: Ref): Promise<Blob>
  /** A link for somebody outside the family. */
  link(family: FamilyId, ref: Ref, seconds: number): Promise<string>
  // -- family
  invite(family: FamilyId, members: readonly MemberId[], deviceName: string | null, hours: number): Promise<{ readonly invite: InviteId, readonly link: string }>
  remove(family: FamilyId, device: DeviceId): Promise<void>
  close(family: FamilyId, invite: InviteId): Promise<void>
  name(family: FamilyId, of: MemberId, name: string): Promise<void>
  intend(family: FamilyId, from: MemberId, rules: readonly RuleView[]): Promise<void>
  /** Somebody here was told how the family changed. */
  seen(family: FamilyId): Promise<void>
  withdraw(family: FamilyId, from: MemberId, of: readonly MemberId[], what: 'taking' | 'counting'): Promise<void>
  askForHelp(family: FamilyId, from: MemberId): Promise<void>
  /** Forgets what the relay refused, now that a person knows. */
  putAway(family: FamilyId, ref: Ref): Promise<void>
  // -- this phone
  set(settings: Partial<Settings>): Promise<void>
  setPicture(family: FamilyId, member: MemberId, picture: number): Promise<void>
  /** Pictures of a PIN, or null for none. */
  setPin(family: FamilyId, member: MemberId, pin: readonly number[] | null): Promise<void>
  checkPin(family: FamilyId, member: MemberId, pin: readonly number[]): Promise<boolean>
  /** Tries the line at once. */
  tryNow(): void
  /** Takes over from another tab. */
  takeOver(): void
}

export interface Looked {
  readonly families: readonly { readonly members: readonly { readonly id: MemberId, readonly role: Role, readonly name: string }[], readonly expiresAt: Millis }[]
}

/** Something that a person is to be told, by a word that each language has. */
export class Problem extends Error {
  /** 'cardOnly': by this link a phone may ask to be let in, which this page cannot; 'closed': another tab is at work, and nothing was kept. */
  readonly word:
    | 'badLink' | 'otherRelay' | 'cardOnly' | 'invite' | 'offline' | 'unsafe' | 'altered' | 'full' | 'gone' | 'noMicrophone' | 'refused'
    | 'slowDown' | 'closed'
  constructor(word: Problem['word']) {
    super(word)
    this.word = word
  }
}
