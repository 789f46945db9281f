// What this phone has to say: on the disk before it is sent, and 30 days after as its journal. Which counter it gets,
// and when it goes, is decided in sync/.

import type { Command } from '../proto/frame.ts'
import type { Epoch, Millis, Ref } from '../proto/id.ts'
import type { Known, Step } from './known.ts'
import type { SentRow } from './rows.ts'

const JOURNAL_MS = 30 * 24 * 60 * 60 * 1000

/** The command's own name: of a body that is sealed again not the body's. */
export function nameOf(frame: Command): Ref {
  return frame.type === 'hold' ? (frame.again ?? frame.ref) : frame.ref
}

export function queue(step: Step, frame: Command, about: Ref | null, at: Millis): Ref {
  const name = nameOf(frame)
  const order = 1 + Math.max(0, ...[...step.tables.outbox.values()].map(row => row.order))
  step.put('outbox', name, { order, frame, about, at, n: null, epoch: null, seq: null, doneAt: null, refused: null })
  return name
}

export function waits({ doneAt }: SentRow): boolean {
  return doneAt === null
}

/** All, as they were given. */
export function inOrder({ tables }: Known): SentRow[] {
  return [...tables.outbox.values()].sort((a, b) => a.order - b.order)
}

/** What waits: first what has a counter, by it, then the rest as it shall go, changes of the roster before all else. */
export function waiting(known: Known): SentRow[] {
  const rank = ({ n, frame, order }: SentRow) => [n ?? Infinity, frame.type === 'turn' ? 0 : 1, order]
  return [...known.tables.outbox.values()].filter(waits).sort((a, b) => {
    const [left, right] = [rank(a), rank(b)]
    const at = left.findIndex((part, at) => part !== right[at])
    return (left[at] ?? 0) - (right[at] ?? 0)
  })
}

/**
 * Of that what may go: not a voice note whose bytes the relay does not have yet, nor what was said after it of the
 * same schedule. Letters overtake it.
 */
export function ready(known: Known, limit: number): SentRow[] {
  const rows = waiting(known)
  const stuck = rows.filter(({ frame }) => known.tables.sound.get(blobOf(frame) ?? '')?.isDone === false)
  const isStuck = (row: SentRow) =>
    stuck.some(it => it === row || (it.about !== null && it.about === row.about && it.order < row.order))
  return rows.filter(row => !isStuck(row)).slice(0, limit)
}

export function blobOf(frame: Command): Ref | null {
  return frame.type === 'post' || frame.type === 'hold' ? frame.blob : null
}

/** Gives it its counter, and notes the first key it was sealed under: before it is sent. */
export function number(step: Step, row: SentRow, n: number, epoch: Epoch): void {
  step.put('outbox', nameOf(row.frame), { ...row, n, epoch: row.epoch ?? epoch })
}

/** Takes back the counters of all that waits: they are given anew. */
export function freeNumbers(step: Step): void {
  for (const row of waiting(step)) if (row.n !== null) step.put('outbox', nameOf(row.frame), { ...row, n: null })
}

/** The relay lost what came after `lastN`: the journal says it again, in order. */
export function replayAfter(step: Step, lastN: number): void {
  for (const [name, row] of [...step.tables.outbox]) {
    if (row.seq === null || row.n === null || row.n <= lastN) continue
    step.put('outbox', name, { ...row, n: null, seq: null, doneAt: null, epoch: null })
  }
}

/** Forgets what found its end long ago, but for held letters, which their author must be able to seal again. */
export function prune(step: Step, now: Millis): void {
  for (const [name, row] of [...step.tables.outbox]) {
    if (row.about === null && row.doneAt !== null && row.doneAt < now - JOURNAL_MS) step.put('outbox', name, undefined)
  }
}
