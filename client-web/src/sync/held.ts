// Letters that the relay holds for their hour. After a removal who was shut out must not open them, so their author's
// phone seals them again, under the same name; those of a phone that is out are given back and written anew.

import { decode } from '../codec.ts'
import { decodeContent, type Message } from '../proto/entry.ts'
import type { ClientFrame, Command, Hold, RelayFrame } from '../proto/frame.ts'
import type { MemberId, Millis, Ref } from '../proto/id.ts'
import { isIn, isRunning, laneOf, lastClosing, scheduleOf, served, type Known, type Step } from '../state/known.ts'
import { queue, waiting } from '../state/outbox.ts'
import type { GivenRow } from '../state/rows.ts'
import { newRef } from './draft.ts'
import { open } from './opening.ts'
import { hold } from './planning.ts'

/** Bodies held of a family at most. */
const MAX_HELD = 512

export function isAgain(frame: Command): frame is Hold {
  return frame.type === 'hold' && frame.again !== null
}

/** Queues all that the relay holds under a key from before the last removal, each once. */
export function queueDue(step: Step, now: Millis): void {
  const due = [...step.tables.held].filter(([, epoch]) => epoch < lastClosing(step))
  if (due.length === 0 || !isIn(step)) return
  const queued = waiting(step).map(({ frame }) => (isAgain(frame) ? frame.ref : ''))
  for (const [ref] of due) {
    const frame = step.tables.outbox.get(ref)?.frame
    const isPlanned = frame?.type === 'hold' && isRunning(scheduleOf(step, frame.schedule) ?? { state: 1 })
    if (!isPlanned) step.put('held', ref, undefined)
    else if (!queued.includes(ref)) queue(step, { ...frame, again: newRef() }, null, now)
  }
}

/** What is to be asked for on this connection, each once. */
export function asks({ tables }: Known, asked: Set<string>): ClientFrame[] {
  const frames: ClientFrame[] = []
  for (const [schedule, after] of tables.asked) {
    const key = `${schedule} ${after}`
    if (!asked.has(key)) frames.push({ type: 'giveBack', schedule, after })
    asked.add(key)
  }
  return frames
}

/**
 * Asks for what schedules hold: of those just met what another phone of their author wrote, to be shown here; after a
 * removal all whose letters this phone is to take on.
 */
export function askForHeld(step: Step, met: ReadonlySet<Ref>): void {
  const closing = lastClosing(step)
  const { takenOn, device } = laneOf(step)
  for (const { content } of step.tables.fact.values()) {
    if (content.type !== 'schedule' || !isRunning(content) || !served(step).includes(content.from)) continue
    const isNews = takenOn < closing && isElected(step, content.from)
    const isOthers = met.has(content.id) && content.device !== device
    if (isNews || isOthers) step.put('asked', content.id, null)
  }
  for (const id of step.tables.asked.keys()) {
    if (!isRunning(scheduleOf(step, id) ?? { state: 0 })) step.put('asked', id, undefined)
  }
  if (takenOn !== closing) step.set({ takenOn: closing })
}

/** Whether this phone has the lowest number of those that serve the member: one of them is enough. */
function isElected({ roster, ...known }: Known, member: MemberId): boolean {
  const serving = [...roster.devices].filter(([, { members }]) => members.includes(member)).map(([device]) => device)
  return Math.min(...serving) === laneOf({ roster, ...known }).device
}

/** Keeps what came, in the place of what came before; once that is all, takes on what phones wrote that are out. */
export async function takeGiven(
  step: Step,
  { schedule, bodies, more }: RelayFrame & { readonly type: 'givenBack' },
  now: Millis,
): Promise<void> {
  const after = step.tables.asked.get(schedule)
  if (after === undefined) return
  const before = after === null ? [] : (step.tables.given.get(schedule) ?? [])
  const messages = bodies.flatMap(body => messageOf(body, schedule))
  const texts = await Promise.all(messages.map(message => open(step, message).catch(() => null)))
  const read = messages.map((message, at): GivenRow => ({ message, text: texts[at] ?? null }))
  const given = [...before, ...read].slice(0, MAX_HELD)
  step.put('given', schedule, given)
  const last = given.at(-1)?.message.fired?.bodyRef
  // A relay that has more and gives none, or more than may be held, would be asked for ever.
  const isMore = more && given.length > before.length && given.length < MAX_HELD
  if (isMore && last !== undefined) return step.put('asked', schedule, last)
  step.put('asked', schedule, undefined)
  takeOn(step, schedule, given, now)
}

function messageOf(bytes: Uint8Array, schedule: Ref): Message[] {
  const value = decode(bytes)
  if (!Array.isArray(value) || typeof value[0] !== 'number') return []
  const content = decodeContent(value[0], value[1])
  return content.type === 'message' && content.fired?.schedule === schedule ? [content] : []
}

/** Writes letters of phones that are out anew, as this phone's own: who was shut out has their key. */
function takeOn(step: Step, schedule: Ref, given: readonly GivenRow[], now: Millis): void {
  const underWay = waiting(step).map(({ frame }) => (frame.type === 'hold' ? frame.replaces : null))
  // Of a bank each is released once, whatever a relay gives back.
  const isBank = scheduleOf(step, schedule)?.bank === true
  const released = isBank ? [...step.tables.message.values()].map(({ message }) => message.fired?.bodyRef) : []
  for (const { message: { device, from, to, fired }, text } of given) {
    const isOurs = !step.roster.devices.has(device) && isElected(step, from)
    if (fired === null || !isOurs || [...underWay, ...released].includes(fired.bodyRef)) continue
    if (text !== null) hold(step, { from, to }, schedule, text, fired.validFor, fired.bodyRef, now)
  }
}
