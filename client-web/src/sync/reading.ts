// What arrives in the log: entries in their order, links first checked and then believed.

import { same, type Bytes } from '../bytes.ts'
import type { LogEntry, Message, Tombstone } from '../proto/entry.ts'
import { Rung, factKey } from '../proto/entry.ts'
import type { Entries } from '../proto/frame.ts'
import type { Epoch, MemberId, Millis, Ref } from '../proto/id.ts'
import { linkHash, readLink } from '../roster/link.ts'
import { Roster } from '../roster/roster.ts'
import { openBack, openWrap } from '../seal/wrap.ts'
import { isIn, laneOf, rawLink, scheduleOf, served, type Step } from '../state/known.ts'
import { mayBeShown, named, open } from './opening.ts'
import { noteHeard } from './receipts.ts'

/** The roster failed a check: reading stops before that entry, and nothing is sealed. */
class Broken extends Error {}

/** Applies a frame of entries whose `after` is the place of the cursor. The schedules that it met. */
export async function read(step: Step, { entries, upto, tag }: Entries): Promise<ReadonlySet<Ref>> {
  const { cursor, logEpoch } = laneOf(step)
  if (cursor === null) throw new Error('entries before a welcome')
  const met = new Set<Ref>()
  let broken: string | null = null
  for (const entry of entries) {
    try {
      await take(step, entry, cursor.generation, met)
    } catch (error) {
      // A relay that lets a check fail says nothing that is believed.
      broken = String(error)
      break
    }
  }
  await openPending(step, met)
  for (const schedule of met) onceOfBank(step, schedule)
  // Where it broke we read on from before, and know by their refs and hashes what was taken since.
  const place = broken === null ? { cursor: { ...cursor, seq: upto, tag } } : { logEpoch }
  step.set({ ...place, broken })
  return met
}

async function take(step: Step, entry: LogEntry, generation: number, met: Set<Ref>): Promise<void> {
  const { seq, at, content } = entry
  switch (content.type) {
    case 'link':
      return takeLink(step, content.link, at)
    case 'wraps':
      return takeWraps(step, content.number, content.wraps)
    case 'message':
      return takeMessage(step, { generation, seq, at }, content)
    case 'receipt': {
      const { of, from, rung, share } = content
      noteHeard(step, of, from, { rung, at: content.at, share: (share ?? 0) <= 100 ? share : null })
      return
    }
    case 'tombstone':
      return takeTombstone(step, entry, content)
    case 'notice':
      // They have no key, and each stands for itself.
      if (served(step).includes(content.to)) step.put('fact', `notice/${seq}`, { seq, at, content })
      return
    case 'schedule':
      met.add(content.id)
  }
  // What a newer relay says stays for the day when this page is newer, too.
  step.put('fact', factKey(content) ?? `unknown/${seq}`, { seq, at, content })
}

async function takeLink(step: Step, link: Bytes, at: Millis): Promise<void> {
  const body = readLink(link)
  const { number, ops } = body
  const { logEpoch, device, joinHash } = laneOf(step)
  if (number !== logEpoch + 1) throw new Broken(`link ${number} is not the next`)
  const known = step.roster.hashOf(number)
  if (known === null) {
    const roster = await step.roster.follow(link)
    const isOwn = ops.some(op => op.op === 3 && op.device === device)
    if (isOwn && !same(roster.head, joinHash)) {
      // Nothing of that chain is ours: the true one can still be read from its start.
      forgetChain(step)
      throw new Broken('this is not the family that was joined')
    }
    step.follow(roster, [...step.links, body])
    step.put('link', number, { link, at })
  } else if (!same(known, await linkHash(link))) {
    await followBefore(step, number, link)
    throw new Broken(`a fork: from link ${number} on the relay shows another list than this phone knows`)
  }
  step.set({ logEpoch: number })
}

/** Throws where a link does not follow what stands before it: then it is no fork. */
async function followBefore(step: Step, number: Epoch, link: Bytes): Promise<void> {
  let roster = Roster.EMPTY
  for (let before = 1; before < number; before++) roster = await roster.follow(rawLink(step, before))
  await roster.follow(link)
}

export function forgetChain(step: Step): void {
  step.clear('link')
  step.clear('key')
  step.set({ wraps: null })
  step.follow(Roster.EMPTY, [])
}

/** The newest link's wraps: they give its key, and through it every key that we missed. */
async function takeWraps(step: Step, number: Epoch, wraps: Bytes): Promise<void> {
  const head = step.roster.number
  if (number < head || !isIn(step)) return
  const { device, keys: own } = laneOf(step)
  const link = rawLink(step, head)
  await step.roster.checkWraps(wraps)
  const opened = await openWrap(own, { device }, link, wraps)
  const keys = new Map<Epoch, Bytes>()
  let key: Bytes | null = opened.key
  for (let epoch = head; key !== null; epoch--) {
    const known = step.tables.key.get(`${epoch}`)
    if (known !== undefined && !same(known, key)) throw new Broken(`key ${epoch} is another than the one known`)
    if (known !== undefined) break
    keys.set(epoch, key)
    key = await openBack(rawLink(step, epoch), key)
  }
  for (const [epoch, key] of keys) step.put('key', epoch, key)
  step.set({ wraps: { number: head, bytes: wraps } })
}

async function takeMessage(
  step: Step,
  place: { readonly generation: number, readonly seq: number, readonly at: Millis },
  message: Message,
): Promise<void> {
  const known = step.tables.message.get(message.ref)
  // What it says stays as it came first: who sends the ref again with another author changes nothing.
  if (known !== undefined) return step.put('message', message.ref, { ...known, ...place })
  const refused = (await mayBeShown(step, laneOf(step).logEpoch, message)) ? null : 'unsafe'
  const arrived = step.tables.message.size
  step.put('message', message.ref, { ...place, arrived, message, text: null, refused })
}

/** Of a message that we have a tombstone is no news: a log was read again. */
function takeTombstone(step: Step, { seq, at }: LogEntry, content: Tombstone): void {
  if (!step.tables.message.has(content.ref)) step.put('fact', `tombstone/${content.ref}`, { seq, at, content })
}

/** Opens all whose key has come by now: wraps follow later in the log than what they open. */
async function openPending(step: Step, met: Set<Ref>): Promise<void> {
  const pending = [...step.tables.message].filter(([, { text, refused }]) => text === null && refused === null)
  const opened = pending.map(([, { message }]) => open(step, message).catch(() => 'unopened' as const))
  const texts = await Promise.all(opened)
  for (const [at, [ref, row]] of pending.entries()) {
    const text = texts[at] ?? null
    if (text === null) continue
    if (text === 'unopened') {
      step.put('message', ref, { ...row, refused: text })
      continue
    }
    const member = named(step, row.message.key)
    if (text.kind === 5 && member === null) step.put('message', ref, { ...row, refused: 'unsafe' })
    else step.put('message', ref, { ...row, text, message: { ...row.message, sealed: new Uint8Array(0) } })
    if (text.kind === 5 && member !== null) step.put('name', member, text.text)
    if (row.message.fired !== null) met.add(row.message.fired.schedule)
  }
}

/** Releasing a bank's letter again says nothing new: of each body stays what came here first, and what was read. */
function onceOfBank(step: Step, schedule: Ref): void {
  if (scheduleOf(step, schedule)?.bank !== true) return
  const shown = [...step.tables.message].filter(
    ([, { message, text, refused }]) => message.fired?.schedule === schedule && text !== null && refused === null,
  )
  const seen = new Set<Ref | undefined>()
  const rungOf = (ref: Ref, member: MemberId) => step.tables.receipt.get(`${ref}/${member}`)?.rung ?? 0
  const isRead = (ref: Ref) => served(step).some(member => rungOf(ref, member) >= Rung.opened)
  for (const [ref, row] of shown.sort(([, a], [, b]) => a.arrived - b.arrived)) {
    const body = row.message.fired?.bodyRef
    if (seen.has(body) && !isRead(ref)) step.put('message', ref, { ...row, refused: 'again' })
    seen.add(body)
  }
}
