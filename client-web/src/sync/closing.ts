// What the relay asks to be closed before letters move: phones and cards that staff voided, cards that expired.
//
// On the word of a relay a phone leaves out and shows it; it never adds, wraps to more, or lets in.

import type { Card, ToClose } from '../proto/frame.ts'
import type { Millis, Ref } from '../proto/id.ts'
import type { Op } from '../roster/link.ts'
import { writeLink, type NewLink } from '../seal/write.ts'
import { keyInForce, laneOf, type Known, type Step } from '../state/known.ts'
import { queue, waiting } from '../state/outbox.ts'
import { newRef } from './draft.ts'

/** Sees to it that a link goes first which closes what is asked. Whether one will. */
export async function queueClosing(step: Step, asked: ToClose | null, now: Millis): Promise<boolean> {
  if (waiting(step).some(({ frame }) => frame.type === 'turn')) return true
  const ops = asked === null ? [] : closing(step, asked)
  if (ops.length === 0 || !step.roster.mayWrite(laneOf(step).device)) return false
  try {
    queueTurn(step, await newLink(step, ops), [], now)
    return true
  } catch {
    return false
  }
}

/**
 * What of it stands open in our own roster, this phone excepted. Cards first: some are closed together with the phone
 * that made them.
 */
function closing(known: Known, { invites, devices }: ToClose): Op[] {
  const { roster } = known
  const cards = [...roster.invites.keys()].filter(invite => invites.includes(invite))
  const phones = [...roster.devices.keys()].filter(it => devices.includes(it) && it !== laneOf(known).device)
  return [
    ...cards.map((invite): Op => ({ op: 5, invite, asked: true })),
    ...phones.map((device): Op => ({ op: 4, device, asked: true })),
  ]
}

/** A link of this phone with these ops, on what it knows. */
export function newLink(known: Known, ops: readonly Op[]): Promise<NewLink> {
  const { device, keys } = laneOf(known)
  return writeLink(known.roster, { device }, keys, ops, keyInForce(known)?.key ?? null)
}

/** Queues a link that is signed and sealed already. */
export function queueTurn(step: Step, { link, wraps }: NewLink, cards: readonly Card[], now: Millis): Ref {
  return queue(step, { type: 'turn', n: 0, ref: newRef(), link, wraps, cards }, null, now)
}
