// What is under way on a connection; the next one begins with nothing of it.

import type { Epoch, Millis, Ref } from '../proto/id.ts'

/** How it stands with links that the relay lost. */
export type HandIn =
  | 'notYet'
  /** The relay does not know this phone: perhaps it lost the link that let it in. */
  | 'unknown'
  /** Sent and not answered. */
  | 'sent'
  | 'sentUnknown'
  /** It has them, it says. */
  | 'done'

export interface Flight {
  /** Sent and not answered, by counter: which command, and the key of its seal. */
  unanswered: Map<number, { readonly name: Ref, readonly epoch: Epoch }>
  /** Something was refused: counters are given anew once all answers are in. */
  settling: boolean
  /** The relay wants a newer key than this one. */
  epochOld: Epoch
  /** Until then only the roster may be written. */
  pausedUntil: Millis | null
  handIn: HandIn
  /** Links written because the relay asked, since it last took one. */
  askedLinks: number
  /** Held letters that the relay was asked for. */
  asked: Set<string>
  /** The relay's clock less this phone's, in ms. */
  offset: Millis
}

export function firstFlight(retryAt: Millis | null): Flight {
  // What an earlier process left numbered may have to let a link go first.
  return { ...nothing(), settling: true, pausedUntil: retryAt, handIn: 'notYet', askedLinks: 0, offset: 0 }
}

export function nextFlight({ settling, pausedUntil, handIn, askedLinks, offset }: Flight): Flight {
  return { ...nothing(), settling, pausedUntil, handIn, askedLinks, offset }
}

function nothing(): Pick<Flight, 'unanswered' | 'epochOld' | 'asked'> {
  return { unanswered: new Map(), epochOld: -1, asked: new Set() }
}

/** The longest pause that is believed, in ms: a clock set wrong meanwhile must not silence a phone. */
export const PAUSE_MAX_MS = 10 * 60 * 1000

export function isPaused({ pausedUntil }: Flight, now: Millis): boolean {
  return pausedUntil !== null && now < pausedUntil && pausedUntil - now <= PAUSE_MAX_MS
}
