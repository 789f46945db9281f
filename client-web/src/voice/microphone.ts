// The browser's microphone.

import { Problem, type Recorded } from '../model.ts'
import type { Millis } from '../proto/id.ts'
import type { Recording } from './types.ts'

/** What browsers record, the smallest first. */
const TYPES = ['audio/webm;codecs=opus', 'audio/ogg;codecs=opus', 'audio/mp4']

/**
 * Bits a second: speech is clear in so few by Opus, and by what else there is in no fewer. A minute of speech without
 * pauses is 126 kB so in Chromium, which at 16,000 makes 141 kB of it: the rate varies with what is said.
 */
const [OPUS_BITS, OTHER_BITS] = [14_000, 32_000]

/** How often what was recorded is handed over, in ms. */
const EVERY_MS = 1_000

/** A recording ends by itself before it is longer, or larger, than a voice note may be: what is under way still comes. */
const [MAX_MS, MAX_BYTES] = [10 * 60_000 - 3 * EVERY_MS, 1024 * 1024 - 48 * 1024]

/** What a voice note may say of its type: characters, and at most 48 of them. */
const NOT_TYPE = /[^A-Za-z0-9/+.;= -]/g
const MAX_TYPE = 48

/** A browser's name of a type, as it may be sent. */
export function mediaTypeOf(named: string): string {
  const plain = named.replace(NOT_TYPE, '')
  return plain.length <= MAX_TYPE ? plain : (plain.split(';')[0] ?? '')
}

/** Asks for the microphone, and records at once. Throws `Problem`. */
export async function listen(): Promise<Recording> {
  // Made before anything is waited for, as a person has just pressed.
  const context = new AudioContext()
  let stream: MediaStream | null = null
  try {
    const audio = { channelCount: 1, echoCancellation: true, noiseSuppression: true }
    stream = await navigator.mediaDevices.getUserMedia({ audio })
    return new Microphone(stream, context)
  } catch {
    hush(stream, context)
    throw new Problem('noMicrophone')
  }
}

/** Until then the browser shows that it listens. */
function hush(stream: MediaStream | null, context: AudioContext): void {
  stream?.getTracks().forEach(track => track.stop())
  void context.close()
}

class Microphone implements Recording {
  readonly #recorder: MediaRecorder
  readonly #pieces: Blob[] = []
  readonly #ended: Promise<void>
  readonly #heard: AnalyserNode
  readonly #began = performance.now()
  #endedAt: number | null = null
  #size = 0

  constructor(stream: MediaStream, context: AudioContext) {
    const mimeType = TYPES.find(type => MediaRecorder.isTypeSupported(type)) ?? ''
    const audioBitsPerSecond = /opus/.test(mimeType) ? OPUS_BITS : OTHER_BITS
    this.#recorder = new MediaRecorder(stream, { mimeType, audioBitsPerSecond })
    this.#heard = context.createAnalyser()
    context.createMediaStreamSource(stream).connect(this.#heard)
    this.#recorder.ondataavailable = ({ data }) => this.#take(data)
    // Also where the microphone is pulled, or taken by a call.
    this.#ended = new Promise(resolve => this.#recorder.onstop = () => {
      this.#endedAt ??= performance.now()
      hush(stream, context)
      resolve()
    })
    this.#recorder.start(EVERY_MS)
  }

  level = (): number => {
    const wave = new Float32Array(this.#heard.fftSize)
    this.#heard.getFloatTimeDomainData(wave)
    const power = wave.reduce((sum, value) => sum + value * value, 0) / wave.length
    // Loudness as ears have it: from 60 dB below the loudest.
    return Math.min(1, Math.max(0, 1 + Math.log10(power + 1e-9) / 6))
  }

  elapsed = (): Millis => (this.#endedAt ?? performance.now()) - this.#began

  async stop(): Promise<Recorded> {
    this.#finish()
    await this.#ended
    if (this.#size === 0) throw new Problem('noMicrophone')
    const mediaType = mediaTypeOf(this.#recorder.mimeType)
    // Files of a recorder often do not say how long they play: the clock does.
    const duration = Math.max(1, Math.round(this.elapsed()))
    return { blob: new Blob(this.#pieces, { type: mediaType }), duration, mediaType }
  }

  cancel(): void {
    this.#finish()
  }

  #take(data: Blob): void {
    this.#pieces.push(data)
    this.#size += data.size
    if (this.#size >= MAX_BYTES || this.elapsed() >= MAX_MS) this.#finish()
  }

  #finish(): void {
    if (this.#recorder.state === 'inactive') return
    this.#endedAt = performance.now()
    this.#recorder.stop()
  }
}
