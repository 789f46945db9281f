// What people say for another time, as commands for the outbox: letters that the relay is to hold, and their schedules.

import type { Schedule } from '../proto/entry.ts'
import type { Command, Hold } from '../proto/frame.ts'
import type { MemberId, Millis, Ref } from '../proto/id.ts'
import { encodeText, type Text } from '../proto/text.ts'
import type { Step } from '../state/known.ts'
import { queue } from '../state/outbox.ts'
import { newRef, type Parties } from './draft.ts'

/** Queues a letter that waits for its schedule, perhaps in the place of one that is held. */
export function hold(
  step: Step,
  { from, to }: Parties,
  schedule: Ref,
  text: Text,
  validFor: Millis | null,
  replaces: Ref | null,
  now: Millis,
): Ref {
  const sealed = encodeText(text)
  const [n, epoch, ref, again] = [0, 0, newRef(), null]
  const [kind, blob] = [text.kind, text.kind === 2 ? text.voice.blob : null]
  const frame: Hold = { type: 'hold', n, ref, epoch, from, to, kind, sealed, schedule, validFor, blob, again, replaces }
  return queue(step, frame, schedule, now)
}

/** Queues a change of a schedule, which stands as `was`. */
export function changeOf(step: Step, was: Schedule, from: MemberId, state: number, now: Millis): Ref {
  const { id, to, rule, bank, version } = was
  const frame: Command = { type: 'plan', n: 0, ref: newRef(), from, to, rule, state, schedule: id, bank, seen: version }
  return queue(step, frame, id, now)
}
