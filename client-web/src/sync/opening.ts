// Whether a sealed entry is what it says, and what it says.

import type { Message } from '../proto/entry.ts'
import type { Epoch } from '../proto/id.ts'
import { decodeText, NewerText, type Text } from '../proto/text.ts'
import { occurrenceRef } from '../roster/occurrence.ts'
import { openBody } from '../seal/body.ts'
import { scheduleOf, servedBy, type Known } from '../state/known.ts'

/** A relay may know other zones than this phone, and be some hours off; not so much, in ms. */
const OFF_MS = 2 * 24 * 60 * 60 * 1000

/** Kinds that have a text; of another this page is too old, and keeps it. */
const KINDS = [1, 2, 3, 4, 5]

/** Whether an entry that arrives while `inForce` is the epoch may be shown. */
export async function mayBeShown(known: Known, inForce: Epoch, message: Message): Promise<boolean> {
  const { fired, from, to, ref, epoch, device } = message
  if (to.some((member, at) => member <= (to[at - 1] ?? 0))) return false
  if (fired === null) return epoch === inForce && servedBy(known, device).includes(from)
  const expected = await occurrenceRef(fired.bodyRef, fired.schedule, fired.planned)
  return expected === ref && known.roster.members.has(from) && followsRule(known, message)
}

/**
 * Whether a letter fired as its schedule plans, as far as can be seen without a calendar: the version by which it fired
 * must be at hand, a single time must be the planned one, and the hour owed must be about when it was planned.
 */
function followsRule(known: Known, { fired }: Message): boolean {
  const schedule = fired && scheduleOf(known, fired.schedule)
  if (schedule === null || schedule.version !== fired?.version) return true
  const { start, rrule, also, except } = schedule.rule
  const { planned, dueAt } = fired
  const isNear = Math.abs(Date.parse(`${planned}Z`) - dueAt) < OFF_MS
  const isOwn = also.includes(planned) || planned.startsWith(start) || (rrule !== null && planned > start)
  return isNear && isOwn && !except.includes(planned)
}

/** What a message says; null while its key is not here, or it needs a newer page. Throws where it is false. */
export async function open(known: Known, message: Message): Promise<Text | null> {
  const { epoch, kind, key, from, to, device, fired, ref, sealed } = message
  const [familyKey, linkHash] = [known.tables.key.get(`${epoch}`), known.roster.hashOf(epoch)]
  if (familyKey === undefined || linkHash === null || !KINDS.includes(kind)) return null
  const until = fired === null ? message.until : fired.validFor
  const fields = { device, from, kind, to, key, until, schedule: fired?.schedule ?? null }
  const opened = await openBody(familyKey, linkHash, fired?.bodyRef ?? ref, fields, sealed)
  if ((kind === 5) !== (key !== null)) throw new Error('its key is not one of its kind')
  try {
    return decodeText(kind, opened)
  } catch (error) {
    if (error instanceof NewerText) return null
    throw error
  }
}

/** The member whose name is the fact of that key. */
export function named(known: Known, key: string | null): number | null {
  return [...known.roster.members.keys()].find(member => key === `name/${member}`) ?? null
}
