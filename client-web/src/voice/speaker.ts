// The browser's loudspeaker.

import type { Millis } from '../proto/id.ts'
import { shareHeard } from './share.ts'
import { CannotPlay } from './types.ts'

export class Speaker {
  // One for all: some phones let only that one play on, for which a person pressed before.
  readonly #audio = new Audio()
  #end = () => {}

  /** As `Player` has it. */
  async play(sound: Blob | Promise<Blob>, onShare: (percent: number) => void, duration: Millis): Promise<void> {
    this.stop()
    const off = new AbortController()
    this.#end = () => off.abort()
    // Before anything is waited for, as a person has just pressed: a press too long ago counts for nothing.
    this.#audio.load()
    const blob = await sound
    if (!off.signal.aborted) await this.#playOut(blob, onShare, duration)
  }

  stop(): void {
    this.#end()
  }

  #playOut(sound: Blob, onShare: (percent: number) => void, duration: Millis): Promise<void> {
    const [audio, url, off] = [this.#audio, URL.createObjectURL(sound), new AbortController()]
    let told = -1
    const tell = () => {
      // A file that was written while it was recorded knows its length at its end only.
      const length = Number.isFinite(audio.duration) ? audio.duration : duration / 1000
      const percent = shareHeard(ranges(audio.played), length)
      if (percent > told) onShare(told = percent)
    }
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        tell()
        off.abort()
        this.#end = () => {}
        audio.removeAttribute('src')
        audio.load()
        URL.revokeObjectURL(url)
        settle()
      }
      this.#end = () => end(resolve)
      const on = (event: string, act: () => void) => audio.addEventListener(event, act, { signal: off.signal })
      on('timeupdate', tell)
      on('ended', () => end(resolve))
      on('error', () => end(() => reject(new CannotPlay(audio.error?.message ?? ''))))
      audio.src = url
      // What cannot play says so by its error; a page that may not play at all, by this.
      audio.play().catch((error: DOMException) => {
        if (error.name === 'NotAllowedError' && !off.signal.aborted) end(() => reject(error))
      })
    })
  }
}

function ranges(played: TimeRanges): [number, number][] {
  return Array.from({ length: played.length }, (_, at) => [played.start(at), played.end(at)])
}
