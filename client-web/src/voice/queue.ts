// Voice notes on their way to the relay. The sealed file is on the disk before anything of it is sent, and what names it
// waits until the relay has all of it.

import type { Bytes } from '../bytes.ts'
import type { Recorded } from '../model.ts'
import { Refusal } from '../proto/frame.ts'
import type { Ref } from '../proto/id.ts'
import type { Voice } from '../proto/text.ts'
import { sealVoice } from '../seal/voice.ts'
import { Stopped, upload, type Upload, type Way } from './transfer.ts'

/** What the relay's status means in the words of the protocol. */
const CODES: Readonly<Record<number, number>> = { 409: Refusal.EXISTS, 413: Refusal.TOO_LARGE, 507: Refusal.FULL }

/** Seals a recording, once: for the disk, in one step with the message that names it. */
export async function sealRecorded(
  { blob: sound, duration, mediaType }: Recorded,
  blob: Ref,
): Promise<{ readonly voice: Voice, readonly stored: Bytes }> {
  const { key, stored, hash } = await sealVoice(new Uint8Array(await sound.arrayBuffer()))
  return { voice: { blob, key, size: sound.size, duration, mediaType, hash }, stored }
}

/**
 * Brings a sealed file to the relay. Gives null once all of it is there, or by which code the relay will never take it, nor
 * what names it. Throws `Stopped` where it is left for later, or this phone is not let in.
 */
export async function bring(way: Way, file: Upload, onShare?: (share: number) => void): Promise<number | null> {
  try {
    await upload(way, file, onShare)
    return null
  } catch (error) {
    if (!(error instanceof Stopped) || error.why !== 'refused') throw error
    return CODES[error.status ?? 0] ?? Refusal.MALFORMED
  }
}
