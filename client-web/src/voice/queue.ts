// Voice notes on their way to the relay. The sealed file is on the disk before anything of it is sent, and what names it
// waits until the relay has all of it.

import type { Bytes } from '../bytes.ts'
import type { Recorded } from '../model.ts'
import { Refusal } from '../proto/frame.ts'
import type { Ref } from '../proto/id.ts'
import type { Voice } from '../proto/text.ts'
import { sealVoice } from '../seal/voice.ts'
import { Stopped, upload, type Upload, type Way } from './transfer.ts'

/** What the phone keeps of them; each step is durable once it settles. */
export interface Uploads {
  /** Those that the relay does not have yet and that a command waits for, in the order in which they were made. */
  pending(): readonly Upload[]
  /** The relay is about to be told of it. */
  begun(blob: Ref): Promise<void>
  /** The relay has all of it: what names it may go. */
  done(blob: Ref): Promise<void>
  /** The relay will never take it, and so not what names it either. */
  refused(blob: Ref, code: number): Promise<void>
}

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

/** Sends what waits, one after the other. Asked again meanwhile, it does so once. */
export class Sender {
  readonly #uploads: Uploads
  readonly #onShare: (blob: Ref, share: number) => void
  #underWay: Promise<void> | null = null

  constructor(uploads: Uploads, onShare: (blob: Ref, share: number) => void = () => {}) {
    this.#uploads = uploads
    this.#onShare = onShare
  }

  /** Settles once nothing waits. Throws `Stopped` where it is left for later, or this phone is not let in. */
  send(way: Way): Promise<void> {
    this.#underWay ??= this.#sendAll(way).finally(() => this.#underWay = null)
    return this.#underWay
  }

  async #sendAll(way: Way): Promise<void> {
    // Looked up again after each: a message may have been given up meanwhile.
    for (let next = this.#uploads.pending()[0]; next !== undefined; next = this.#uploads.pending()[0]) {
      const { blob, begun } = next
      if (!begun) await this.#uploads.begun(blob)
      try {
        await upload(way, next, share => this.#onShare(blob, share))
        await this.#uploads.done(blob)
      } catch (error) {
        if (!(error instanceof Stopped) || error.why !== 'refused') throw error
        await this.#uploads.refused(blob, CODES[error.status ?? 0] ?? Refusal.MALFORMED)
      }
    }
  }
}
