// The seam to the screens: what records, and what plays.

import type { Recorded } from '../model.ts'
import type { Millis } from '../proto/id.ts'

/** A recording under way. It ends by itself where a voice note can be no longer; `stop` gives what there is then. */
export interface Recording {
  /** How loud it is just now, 0 to 1. */
  readonly level: () => number
  /** How long it is by now, in ms; it stands still once the recording has ended. */
  readonly elapsed: () => Millis
  /** Ends it. Throws `Problem` where nothing was heard. */
  stop(): Promise<Recorded>
  /** Ends it, and nothing is kept. */
  cancel(): void
}

export interface Player {
  /** Asks for the microphone where that is needed; throws `Problem`. What plays is stopped. */
  record(): Promise<Recording>
  /**
   * Plays a sound, from its start; settles once it has ended or was stopped. To be called when a person presses, also
   * where the sound has yet to come: some phones play nothing else. Tells the share really heard whenever it has grown,
   * and at the end. `duration` is what the letter says: some files do not know theirs. Throws `CannotPlay`, and
   * whatever the sound does.
   */
  play(sound: Blob | Promise<Blob>, onShare: (percent: number) => void, duration: Millis): Promise<void>
  stop(): void
}

/** This browser does not know this kind of sound. */
export class CannotPlay extends Error {}
