// A voice note's bytes from the relay, opened; and whether they are fetched before somebody asks.

import type { Bytes } from '../bytes.ts'
import type { Settings, View } from '../model.ts'
import type { Voice } from '../proto/text.ts'
import { CannotOpen } from '../seal/primitive.ts'
import { openVoice, storedLength } from '../seal/voice.ts'
import { Part, blobPath, download, type OnShare, type Way } from './transfer.ts'

const MB = 1_000_000

/** Where a voice note's bytes grow. Kept while the page is open, a note that was cut goes on from there. */
export function partOf({ size }: Pick<Voice, 'size'>): Part {
  return new Part(storedLength(size))
}

/** A voice note as the relay has it, and as it plays. */
export interface Opened {
  readonly stored: Bytes
  readonly sound: Bytes
}

/** Fetches what is missing of it, and opens it. Throws `Stopped`; `CannotOpen`, and then nothing of it is kept. */
export async function fetchVoice(way: Way, voice: Voice, part: Part, onShare?: OnShare): Promise<Opened> {
  return opened(voice, part, await download(way, blobPath(voice.blob), part, onShare))
}

/** Opens what has come. */
export async function opened({ key, size, hash }: Voice, part: Part, stored: Bytes): Promise<Opened> {
  try {
    return { stored, sound: await openVoice(key, size, hash, stored) }
  } catch (error) {
    // Not to be gone on with.
    if (error instanceof CannotOpen) part.have = 0
    throw error
  }
}

/** What a browser tells of the line; not all do, and few on a computer. */
export interface Connection {
  readonly type?: string
  readonly saveData?: boolean
}

/** Whether a voice note is fetched before somebody asks. Where the browser does not tell of Wi-Fi, there is none. */
export function fetchesAhead(setting: Settings['fetchAhead'], connection: Connection | undefined): boolean {
  if (setting !== 'wifi') return setting === 'always'
  return ['wifi', 'ethernet'].includes(connection?.type ?? '') && connection?.saveData !== true
}

/** Whether fetching so many bytes passes the month's cap: then a person is asked, and nothing is fetched ahead. */
export function passesCap(capMb: number | null, used: Pick<View['used'], 'up' | 'down'>, bytes: number): boolean {
  return capMb !== null && used.up + used.down + bytes > capMb * MB
}
