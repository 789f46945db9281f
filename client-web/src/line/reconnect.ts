// When to try again (docs/PROTOCOL.md, 1). After an outage everybody must come back by himself, and not all in one
// second: a relay that comes back is busiest then.

import type { Millis } from '../proto/id.ts'

/** After an unexplained cut the first try comes within this time; the tries after it have it as their first ceiling. */
const FIRST_RETRY_MS = 15_000

/** The first ceiling for who was not connected, as at a person's start; it doubles. */
const RETRY_MIN_MS = 1_000

/** The last ceiling while somebody looks, and the longest that a relay's word is obeyed. */
const RETRY_MAX_MS = 60_000

/** The last ceiling while nobody looks: so seldom a phone in a pocket looks, too. */
export const HIDDEN_MAX_MS = 5 * 60_000

/** A relay that is full names whole seconds: who was told the same is spread over the next. */
const SPREAD_MS = 1_000

/** How a connection, or the try to have it, ended. */
export type Ending =
  /** It stood, and was cut for no reason that we know. */
  | 'cut'
  /** It did not come about. */
  | 'failed'
  /** The relay says when to come back. */
  | { readonly comeBack: Millis }

export interface Wait {
  readonly time: Millis
  /** Whether a person who does something meanwhile is served at once. Not where the relay said how long. */
  readonly mayBeCut: boolean
}

export class Reconnect {
  #ceiling = RETRY_MIN_MS

  /** The wait after what ended so; `dice` is anything from 0 up to 1: full jitter. */
  after(ending: Ending, dice: number, isHidden: boolean): Wait {
    if (ending === 'cut') {
      this.#ceiling = FIRST_RETRY_MS
      return { time: FIRST_RETRY_MS * dice, mayBeCut: true }
    }
    if (ending === 'failed') {
      const time = this.#ceiling * dice
      this.#ceiling = Math.min(this.#ceiling * 2, isHidden ? HIDDEN_MAX_MS : RETRY_MAX_MS)
      return { time, mayBeCut: true }
    }
    this.#ceiling = FIRST_RETRY_MS
    return { time: Math.min(ending.comeBack, RETRY_MAX_MS) + SPREAD_MS * dice, mayBeCut: false }
  }
}
