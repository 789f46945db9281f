// How far messages came: what is told, and the rung that nobody sends, *on the device*, which follows from how far a
// phone has read.

import { Rung, isFor } from '../proto/entry.ts'
import type { MemberId, Ref } from '../proto/id.ts'
import { laneOf, served, servedBy, type Step } from '../state/known.ts'
import type { Heard } from '../state/rows.ts'

/** Notes a rung; whether it is news: higher than what stands, or a larger share. */
export function noteHeard(step: Step, of: Ref, member: MemberId, heard: Heard): boolean {
  const key = `${of}/${member}`
  const known = step.tables.receipt.get(key)
  const isNews =
    known === undefined ||
    heard.rung > known.rung ||
    (heard.rung === known.rung && (heard.share ?? 0) > (known.share ?? 0))
  if (isNews) step.put('receipt', key, heard)
  return isNews
}

/** Notes of our own messages whose phones have them by now, as far as we have read ourselves. */
export function derive(step: Step): void {
  const cursor = laneOf(step).cursor
  if (cursor === null) return
  for (const [device, row] of [...step.tables.reached]) {
    const upto = Math.min(row.seq, cursor.seq)
    if (upto <= row.derived) continue
    const members = servedBy(step, Number(device))
    for (const [ref, { message, generation, seq }] of step.tables.message) {
      const isOurs = served(step).includes(message.from) && message.key === null
      if (!isOurs || generation !== cursor.generation || seq <= row.derived || seq > upto) continue
      for (const member of members) {
        if (isFor(message, member)) noteHeard(step, ref, member, { rung: Rung.device, at: row.at, share: null })
      }
    }
    step.put('reached', device, { ...row, derived: upto })
  }
}
