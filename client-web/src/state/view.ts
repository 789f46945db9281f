// What the screens are shown of one family: reckoned from what is known, and nothing else.

import { ownFace, type FamilyView, type LetterView, type MemberView, type Trouble, type VoiceView } from '../model.ts'
import { HEARD, isFor, Rung } from '../proto/entry.ts'
import type { Command } from '../proto/frame.ts'
import type { MemberId, Millis, Ref } from '../proto/id.ts'
import { decodeText, type Text, type Voice } from '../proto/text.ts'
import { laneOf, served, type Known } from './known.ts'
import { inOrder, waiting } from './outbox.ts'
import type { Heard } from './rows.ts'

/** What is not on the disk. */
export interface Now {
  /** By the relay's clock. */
  readonly now: Millis
  readonly isFull: boolean
  /** Sounds that come or go just now, and how much of each is there. */
  readonly moving: ReadonlyMap<Ref, Pick<VoiceView, 'state' | 'share'>>
  /** Sounds that the relay does not have any more. */
  readonly gone: ReadonlySet<Ref>
}

/** What is shown besides letters, and is loaded after them: state/rest.ts. */
export type Rest = Pick<
  FamilyView, 'refused' | 'schedules' | 'plan' | 'proposal' | 'cards' | 'changes' | 'news' | 'nudges' |
  'consents' | 'leaving'
>

export type RestOf = (known: Known, now: Now) => Rest

const NO_REST: Rest = {
  refused: [], schedules: [], plan: null, proposal: null, cards: [], changes: [], news: [], nudges: [], consents: [],
  leaving: null,
}

export function familyView(known: Known, now: Now, restOf: RestOf = () => NO_REST): FamilyView {
  return {
    id: known.id,
    members: members(known),
    letters: letters(known, now, receipts(known)),
    trouble: trouble(known, now),
    waiting: waiting(known).length,
    phones: phones(known),
    ...restOf(known, now),
  }
}

function members(known: Known): MemberView[] {
  const { fact, face, name } = known.tables
  const { order } = laneOf(known)
  return [...known.roster.members].map(([id, role]) => {
    const content = fact.get(`member/${id}`)?.content
    const { zone, language } = content?.type === 'member' ? content : { zone: 'UTC', language: 'en' }
    const shown = face.get(`${id}`)
    return {
      id,
      role,
      name: name.get(`${id}`) ?? '',
      zone,
      language,
      isServed: served(known).includes(id),
      face: { picture: shown?.picture ?? ownFace(id, order - 1), hasPin: (shown?.pin ?? null) !== null },
    }
  })
}

/** By message, how far it came with each member. */
function receipts({ tables }: Known): ReadonlyMap<Ref, ReadonlyMap<MemberId, Heard>> {
  const all = new Map<Ref, Map<MemberId, Heard>>()
  for (const [key, heard] of tables.receipt) {
    const [of = '', member] = key.split('/')
    const known = all.get(of) ?? new Map<MemberId, Heard>()
    all.set(of, known.set(Number(member), heard))
  }
  return all
}

function letters(known: Known, now: Now, reached: ReadonlyMap<Ref, ReadonlyMap<MemberId, Heard>>): LetterView[] {
  const { message, fact } = known.tables
  const mine = served(known)
  const letter = (ref: Ref, from: MemberId, to: readonly MemberId[], text: Text | null, rest: Partial<LetterView>) => {
    const heard = reached.get(ref) ?? new Map<MemberId, Heard>()
    const isNew = (member: MemberId) => isFor({ from, to }, member) && !hasHeard(heard.get(member), text)
    return {
      ref, from, to, ...said(text, known, now), writtenAt: text?.writtenAt ?? 0, at: null, isOwn: mine.includes(from),
      planned: null, zone: null, reached: heard, newFor: text === null ? [] : mine.filter(isNew), fault: null, ...rest,
    }
  }
  const expired = new Set([...fact.values()].map(({ content }) =>
    content.type === 'notice' && content.what === EXPIRED ? content.of : null))
  // Of a bank's letter that was released again nothing is to be said.
  const rows = [...message].filter(([, row]) => row.message.key === null && row.refused !== 'again')
  rows.sort(([, a], [, b]) => a.generation - b.generation || a.seq - b.seq)
  const stones = [...fact.values()].flatMap(({ at, content }) =>
    content.type === 'tombstone' ? [letter(content.ref, content.from, content.to, null, { at, fault: 'expired' })] : [])
  const read = rows.map(([ref, { message: { from, to, fired }, text, refused, at }]) => {
    const closed = text === null ? 'unopened' : null
    // A letter that is here came in time, whatever a relay says to others than its author.
    const isExpired = expired.has(ref) && (text === null || mine.includes(from))
    const fault = isExpired ? 'expired' : refused === 'unsafe' ? refused : closed
    const schedule = fact.get(`schedule/${fired?.schedule}`)?.content
    const zone = schedule?.type === 'schedule' ? schedule.rule.zone : null
    return letter(ref, from, to, text, { at, planned: fired?.planned ?? null, zone, fault })
  })
  const unsent = inOrder(known).flatMap(({ frame, seq, refused }) => {
    if (frame.type !== 'post' || frame.key !== null || seq !== null || message.has(frame.ref)) return []
    return [letter(frame.ref, frame.from, frame.to, textOf(frame), { fault: refused === null ? null : 'refused' })]
  })
  return [...stones, ...read, ...unsent]
}

type Shown = Pick<LetterView, 'kind' | 'text' | 'picture' | 'voice'>

/** What a notice says: a letter was worth nothing any more before it was there. */
const EXPIRED = 2

function hasHeard(heard: Heard | undefined, text: Text | null): boolean {
  if (heard === undefined || heard.rung < Rung.opened) return false
  return text?.kind !== 2 || heard.rung > Rung.played || (heard.share ?? 0) >= HEARD
}

export function said(text: Text | null, known: Known, now: Now): Shown {
  const nothing = { text: '', picture: null, voice: null }
  if (text?.kind === 2) return { ...nothing, kind: 'voice', voice: voiceView(text.voice, known, now) }
  if (text?.kind === 3) return { ...nothing, kind: 'picture', picture: text.picture }
  return { ...nothing, kind: text?.kind === 4 ? 'reminder' : 'text', text: text?.text ?? '' }
}

function voiceView({ blob, duration, size }: Voice, { tables }: Known, now: Now): VoiceView {
  const rest = { duration, size }
  const moving = now.moving.get(blob)
  if (moving !== undefined) return { ...rest, ...moving }
  if (tables.sound.has(blob)) return { ...rest, state: 'here', share: 1 }
  return { ...rest, state: now.gone.has(blob) ? 'gone' : 'away', share: 0 }
}

export function textOf({ kind, sealed }: Command & { readonly type: 'post' | 'hold' }): Text {
  return decodeText(kind, sealed)
}

function trouble(known: Known, { isFull }: Now): Trouble | null {
  const { ended, broken, waits } = laneOf(known)
  if (ended !== null) return { kind: ended }
  if (broken !== null) return { kind: 'unsafe' }
  if (isFull) return { kind: 'full' }
  if (waits === 'notActive') return { kind: 'notActive' }
  return waits === null ? null : { kind: 'waits' }
}

function phones(known: Known): FamilyView['phones'] {
  const { device: me } = laneOf(known)
  return [...known.roster.devices].map(([device, { members }]) => {
    const readAt = known.tables.reached.get(`${device}`)?.at ?? null
    return { device, members, isThis: device === me, readAt }
  })
}

/** The day in this phone's zone, `YYYY-MM-DD`. */
export function dayOf(at: Millis): string {
  const day = new Date(at)
  const two = (part: number) => `${part}`.padStart(2, '0')
  return `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}`
}
