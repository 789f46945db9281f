// One microphone and one loudspeaker: whoever begins to speak hears nothing of before.

import type { Millis } from '../proto/id.ts'
import { listen } from './microphone.ts'
import { Speaker } from './speaker.ts'
import type { Player, Recording } from './types.ts'

export class BrowserPlayer implements Player {
  readonly #speaker = new Speaker()

  record(): Promise<Recording> {
    this.stop()
    return listen()
  }

  play(sound: Blob | Promise<Blob>, onShare: (percent: number) => void, duration: Millis): Promise<void> {
    return this.#speaker.play(sound, onShare, duration)
  }

  stop(): void {
    this.#speaker.stop()
  }
}
