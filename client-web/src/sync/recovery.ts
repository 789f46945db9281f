// A relay that knows less than this phone: it lost links, or knows the phone itself no more.
//
// Links prove themselves, so whoever has them hands them in, before all else, and nothing is sealed until the relay's
// chain is as long as ours. A relay that does not take them keeps them back.

import { Refusal, type ClientFrame, type Refused } from '../proto/frame.ts'
import type { Epoch } from '../proto/id.ts'
import { isIn, laneOf, rawLink, type Known, type Step } from '../state/known.ts'
import type { Ended } from '../state/rows.ts'
import type { Flight } from './flight.ts'

/** Bytes of a frame of links, less what is around them. */
const ROOM = 64 * 1024 - 64

/** Whether our own chain goes on beyond what was read of the relay's. */
export function lacksLinks(known: Known): boolean {
  return laneOf(known).logEpoch < known.roster.number
}

/**
 * Our links from that number on with the newest wraps, or the last of them that find room if the first need not be
 * among them. Null without the wraps, or room.
 */
export function lostLinks(known: Known, from: Epoch, mayBeginLater: boolean): ClientFrame | null {
  const { wraps, scope } = laneOf(known)
  const head = known.roster.number
  if (wraps?.number !== head) return null
  let room = ROOM - wraps.bytes.length
  const links = []
  for (let number = head; number >= from; number--) {
    const link = rawLink(known, number)
    room -= link.length + 3
    if (room < 0 && !mayBeginLater) return null
    if (room < 0) break
    links.unshift(link)
  }
  return { type: 'handIn', scope, links, wraps: wraps.bytes }
}

/** That the relay says no to this phone itself, or to what it handed in; null if it is to be asked once more. */
export type Away = 'busy' | 'unsafe' | 'ended' | null

/** A refusal of the lane itself, or of what was handed in, rather than of a command. */
export function turnedAway(step: Step, flight: Flight, { code }: Refused): Away {
  const { handIn } = flight
  if (code === Refusal.SLOW_DOWN || code === Refusal.UNAVAILABLE) {
    if (handIn === 'sent' || handIn === 'sentUnknown') flight.handIn = 'notYet'
    return 'busy'
  }
  if (code === Refusal.NEW_CHAIN) return end(step, flight, 'newChain')
  if (code === Refusal.ERASED) return end(step, flight, 'erased')
  if (handIn === 'sentUnknown') return end(step, flight, 'removed')
  if (handIn === 'sent' && code !== Refusal.UNAUTHORISED) return keptBack(step)
  if (code !== Refusal.UNAUTHORISED) return null
  if (!isIn(step) || (handIn !== 'notYet' && handIn !== 'unknown')) return end(step, flight, 'removed')
  flight.handIn = 'unknown'
  return null
}

/** Notes that this phone is out. What it has stays, and can be read. */
export function end(step: Step, flight: Flight, ended: Ended): Away {
  step.set({ ended })
  flight.handIn = 'notYet'
  return 'ended'
}

/** Notes that the relay has an older list than ours and stays with it. */
export function keptBack(step: Step): Away {
  const reason = `the relay's list ends with link ${laneOf(step).logEpoch} and does not take what came later`
  step.set({ broken: reason })
  return 'unsafe'
}
