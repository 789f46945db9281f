// What leaves: commands get their counters, are sealed under the key in force, and are answered.
//
// A counter is on the disk before its command is sent. After any refusal nothing more is sent until all answers are
// in; then the counters of all that waits are given anew, from the relay's last.

import { encodeFrame, Refusal, type Command, type Posted, type Refused } from '../proto/frame.ts'
import type { Epoch, Millis, Ref } from '../proto/id.ts'
import { decodeText } from '../proto/text.ts'
import { keyInForce, laneOf, type Known, type Step } from '../state/known.ts'
import { blobOf, freeNumbers, nameOf, number, ready, waiting, waits } from '../state/outbox.ts'
import type { Waits } from '../state/rows.ts'
import { queueClosing } from './closing.ts'
import { sealed } from './draft.ts'
import { isPaused, PAUSE_MAX_MS, type Flight } from './flight.ts'
import { isAgain, queueDue } from './held.ts'
import { named } from './opening.ts'
import { lacksLinks } from './recovery.ts'

/** Commands unanswered at once: the relay remembers so many. */
const MAX_UNANSWERED = 16

/** How long to wait where the relay names no time, in ms. */
const PAUSE_MS = 15_000

/** A relay that asks for ever must not keep a phone writing links. */
const MAX_ASKED_LINKS = 4

/** Bytes sent at once, beyond the first command: a slow line must get through in a round's time. */
const SENT_AT_ONCE = 32 * 1024

export function maySend(known: Known, flight: Flight, now: Millis): boolean {
  if (laneOf(known).broken !== null || lacksLinks(known)) return false
  const paused = isPaused(flight, now)
  return ready(known, MAX_UNANSWERED).some(({ frame }) => !paused || frame.type === 'turn')
}

export interface Sent { readonly frame: Command, readonly name: Ref, readonly epoch: Epoch }

/** Numbers and seals what may go now. It may be sent once the step stands. */
export async function numbered(step: Step, flight: Flight, now: Millis): Promise<Sent[]> {
  const paused = isPaused(flight, now)
  if (flight.settling) freeNumbers(step)
  const rows = ready(step, MAX_UNANSWERED)
  const { lastN, waits } = laneOf(step)
  let last = Math.max(lastN, ...rows.map(({ n }) => n ?? 0))
  let bytes = 0
  const sent: Sent[] = []
  const force = keyInForce(step)
  const key = force !== null && force.epoch > flight.epochOld ? force : null
  for (const row of rows) {
    if (row.n !== null && flight.unanswered.has(row.n)) continue
    if (paused && row.frame.type !== 'turn') break
    // While the relay keeps us waiting one command finds out whether it still does.
    if (waits !== null && sent.length > 0) break
    const n = row.n ?? last + 1
    const command = await sealed(step, key, row, n)
    if (command === null) break
    bytes += encodeFrame(command.frame).length
    if (bytes > SENT_AT_ONCE && sent.length > 0) break
    last = Math.max(last, n)
    number(step, row, n, command.epoch)
    sent.push({ ...command, name: nameOf(row.frame) })
    // What goes behind a link is sealed under the key that it brings.
    if (row.frame.type === 'turn') break
  }
  return sent
}

/** The relay has a command. */
export async function posted(step: Step, flight: Flight, answer: Posted): Promise<void> {
  const { n, ref, seq, at } = answer
  const { lastN, cursor } = laneOf(step)
  step.set({ lastN: Math.max(lastN, n), waits: null, retryAt: null })
  const row = step.tables.outbox.get(ref)
  if (row === undefined) return
  step.put('outbox', ref, { ...row, n, seq, doneAt: at })
  const { frame } = row
  if (frame.type === 'hold') {
    step.put('held', frame.ref, row.epoch ?? 0)
    queueDue(step, at)
  }
  if (frame.type === 'turn') flight.askedLinks = 0
  if (frame.type === 'post' && cursor !== null) keepOwn(step, frame, { generation: cursor.generation, seq, at })
}

/** What this phone wrote stands in its own log from the moment that the relay has it. */
function keepOwn(
  step: Step,
  { ref, from, epoch, to, kind, key, until, blob, sealed }: Command & { readonly type: 'post' },
  place: { readonly generation: number, readonly seq: number, readonly at: Millis },
): void {
  const known = step.tables.message.get(ref)
  if (known !== undefined) return step.put('message', ref, { ...known, ...place })
  const { device } = laneOf(step)
  const rest = { sealed: new Uint8Array(0), key, until, blob, fired: null }
  const [text, arrived] = [decodeText(kind, sealed), step.tables.message.size]
  step.put('message', ref, {
    ...place, arrived, text, refused: null, message: { type: 'message', kind, device, from, ref, epoch, to, ...rest },
  })
  const member = named(step, key)
  if (text.kind === 5 && member !== null) step.put('name', member, text.text)
}

/** A refusal of a command that was under way. Whether something changed that lets others go on. */
export async function refused(
  step: Step,
  flight: Flight,
  { name, epoch }: { readonly name: Ref, readonly epoch: Epoch },
  { code, retryAfter, lastN, toClose }: Refused,
  now: Millis,
): Promise<boolean> {
  const row = step.tables.outbox.get(name)
  if (row === undefined || !waits(row)) return false
  const relayNow = now + flight.offset
  const isTurn = row.frame.type === 'turn'
  const blob = blobOf(row.frame)
  switch (code) {
    case Refusal.RENUMBER: {
      const last = lastN ?? laneOf(step).lastN
      step.set({ lastN: last })
      // The same number again would be refused again.
      return row.n !== last + 1
    }
    case Refusal.EPOCH_OLD:
      step.put('outbox', name, { ...row, epoch: null })
      flight.epochOld = Math.max(flight.epochOld, epoch)
      return false
    case Refusal.TURN_FIRST:
      // Whoever wrote a link writes it anew, on what stands then.
      if (isTurn) refuse(step, name, Refusal.STALE, relayNow)
      if (flight.askedLinks < MAX_ASKED_LINKS && (await queueClosing(step, toClose, now))) {
        flight.askedLinks++
        return true
      }
      flight.askedLinks = 0
      return pause(step, flight, 'turnFirst', now, PAUSE_MAX_MS)
    case Refusal.UNKNOWN:
      if (!isAgain(row.frame)) break
      // It fired meanwhile, so there is nothing to seal.
      step.put('held', row.frame.ref, undefined)
      step.put('outbox', name, { ...row, n: 0, seq: 0, doneAt: relayNow })
      return true
    case Refusal.STORE_FIRST: {
      const sound = step.tables.sound.get(blob ?? '')
      if (blob === null || sound === undefined) break
      step.put('sound', blob, { ...sound, isDone: false })
      return true
    }
    case Refusal.NOT_ACTIVE:
      return pause(step, flight, 'notActive', now, retryAfter ?? PAUSE_MAX_MS)
    case Refusal.SLOW_DOWN:
      pause(step, flight, 'slowDown', now, retryAfter ?? PAUSE_MS)
      // The next process would not know, and ask again at once.
      step.set({ retryAt: flight.pausedUntil })
      return false
    case Refusal.UNAVAILABLE:
      return pause(step, flight, 'unavailable', now, retryAfter ?? PAUSE_MS)
    case Refusal.STALE:
      // Whoever changed the roster, a schedule or a plan looks at it again, and decides anew.
      if (isTurn || row.frame.type === 'plan' || row.frame.type === 'intend') break
      flight.pausedUntil = now + PAUSE_MS
      return false
    default:
      if (!KNOWN.has(code)) return pause(step, flight, 'newer', now, retryAfter ?? PAUSE_MS)
  }
  refuse(step, name, code, relayNow)
  return true
}

const KNOWN: ReadonlySet<number> = new Set(Object.values(Refusal))

function pause(step: Step, flight: Flight, waits: Waits, now: Millis, length: Millis): false {
  flight.pausedUntil = now + Math.min(length, PAUSE_MAX_MS)
  step.set({ waits })
  return false
}

/** The relay will never take it. A schedule without its letter would fire nothing, so it goes, too. */
export function refuse(step: Step, name: Ref, code: number, at: Millis): void {
  const row = step.tables.outbox.get(name)
  if (row === undefined || !waits(row)) return
  step.put('outbox', name, { ...row, n: null, refused: code, doneAt: at })
  if (row.frame.type === 'hold') refuse(step, row.frame.schedule, code, at)
}

/** The relay will never take these stored bytes: nor what names them. */
export function refuseNaming(step: Step, blob: Ref, code: number, at: Millis): void {
  for (const { frame } of waiting(step)) if (blobOf(frame) === blob) refuse(step, nameOf(frame), code, at)
}
