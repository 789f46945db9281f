// Sounds of voice notes on their way, for every family: sealed files that go before what names them, and those that are
// fetched when somebody asks. How is voice/.

import { toBase64Url, type Bytes } from '../bytes.ts'
import { Problem, type Settings, type View, type VoiceView } from '../model.ts'
import { isFor, Rung } from '../proto/entry.ts'
import type { Millis, Ref } from '../proto/id.ts'
import type { Voice } from '../proto/text.ts'
import { openVoice } from '../seal/voice.ts'
import { served } from '../state/known.ts'
import { blobOf, waiting } from '../state/outbox.ts'
import { tokenOf, type Engine } from '../sync/engine.ts'
import { refuseNaming } from '../sync/sending.ts'
import { fetchesAhead, fetchVoice, partOf, passesCap, type Connection } from '../voice/fetch.ts'
import { bring } from '../voice/queue.ts'
import { Stopped, type Part, type Way } from '../voice/transfer.ts'
import type { Count } from './net.ts'

export interface SoundsParts {
  readonly origin: string
  readonly count: Count
  readonly now: () => Millis
  readonly onChange: () => void
  /** The relay has a sound: what names it may go. */
  readonly onDone: () => void
}

export class Sounds {
  /** What comes or goes just now. */
  readonly moving = new Map<Ref, Pick<VoiceView, 'state' | 'share'>>()
  /** What the relay does not have any more. */
  readonly gone = new Set<Ref>()
  readonly #parts: SoundsParts
  readonly #cut = new Map<Ref, Part>()
  #carrying: Promise<unknown> = Promise.resolve()
  #fetching: Promise<void> | null = null

  constructor(parts: SoundsParts) {
    this.#parts = parts
  }

  /** Brings to the relay what waits for that. Throws what is no matter of the line. */
  carry(engines: readonly Engine[]): Promise<void> {
    const carried = this.#carrying.then(async () => {
      for (const engine of engines) if (engine.lane.ended === null) await this.#send(engine)
    })
    this.#carrying = carried.catch(() => {})
    return carried
  }

  /** The sound itself, fetched where it is not here. Throws `Problem`. */
  async fetch(engine: Engine, voice: Voice): Promise<Blob> {
    const { blob, key, size, hash, mediaType } = voice
    const kept = engine.known.tables.sound.has(blob) ? await engine.stored(blob) : null
    // What was spoilt here is fetched anew.
    const opened = kept && await openVoice(key, size, hash, kept).catch(() => null)
    const sound = opened ?? await this.#fetch(engine, voice)
    return new Blob([sound], { type: mediaType })
  }

  /** Fetches what nobody heard here yet, one after the other; whatever stops it, another time it goes on. */
  ahead(
    engines: readonly Engine[],
    { fetchAhead, capMb }: Settings,
    used: () => View['used'],
    connection: Connection | undefined,
  ): void {
    if (!fetchesAhead(fetchAhead, connection)) return
    const may = ({ size }: Voice) => !passesCap(capMb, used(), size)
    this.#fetching ??= this.#fetchAll(engines, may).catch(() => {}).finally(() => (this.#fetching = null))
  }

  async #send(engine: Engine): Promise<void> {
    try {
      for (const blob of pending(engine)) await this.#bring(engine, blob)
    } catch (error) {
      if (!(error instanceof Stopped)) throw error
    } finally {
      this.#rest('going')
    }
  }

  async #bring(engine: Engine, blob: Ref): Promise<void> {
    const { now, onDone } = this.#parts
    const sound = engine.known.tables.sound.get(blob)
    // Others went before it: what names it may have been given up meanwhile.
    const stored = pending(engine).includes(blob) ? await engine.stored(blob) : null
    if (sound === undefined || stored === null) return
    const { hash, isBegun: begun } = sound
    if (!begun) await engine.change(step => step.put('sound', blob, { ...sound, isBegun: true }))
    const code = await bring(this.way(engine), { blob, stored, hash, begun }, share => this.#move(blob, 'going', share))
    if (code !== null) return engine.change(step => refuseNaming(step, blob, code, engine.relayTime(now())))
    await engine.change(step => step.put('sound', blob, { ...sound, isBegun: true, isDone: true }))
    this.moving.delete(blob)
    onDone()
  }

  async #fetch(engine: Engine, voice: Voice): Promise<Bytes> {
    const { blob, hash } = voice
    const part = this.#cut.get(blob) ?? partOf(voice)
    this.#cut.set(blob, part)
    try {
      const onShare = (share: number) => this.#move(blob, 'coming', share)
      const { stored, sound } = await fetchVoice(this.way(engine), voice, part, onShare)
      this.#cut.delete(blob)
      // Without room it is fetched again the next time.
      const keep = engine.change(step => {
        step.store(blob, stored)
        step.put('sound', blob, { hash, isBegun: true, isDone: true })
      })
      await keep.catch(() => {})
      return sound
    } catch (error) {
      if (error instanceof Stopped && error.why === 'gone') this.gone.add(blob)
      throw problemOfSound(error)
    } finally {
      this.#rest('coming')
    }
  }

  async #fetchAll(engines: readonly Engine[], may: (voice: Voice) => boolean): Promise<void> {
    for (const engine of engines) {
      const { message, receipt, sound } = engine.known.tables
      for (const [ref, { message: letter, text, refused }] of message) {
        if (text?.kind !== 2 || refused !== null) continue
        if (sound.has(text.voice.blob) || this.gone.has(text.voice.blob)) continue
        const isUnheard = (member: number) => (receipt.get(`${ref}/${member}`)?.rung ?? 0) < Rung.played
        const isNew = served(engine.known).some(member => isFor(letter, member) && isUnheard(member))
        if (isNew && may(text.voice)) await this.fetch(engine, text.voice)
      }
    }
  }

  /** To the sounds of that family. */
  way({ lane }: Engine): Way {
    return { origin: this.#parts.origin, token: toBase64Url(tokenOf(lane)), moved: this.#parts.count }
  }

  #move(blob: Ref, state: 'coming' | 'going', share: number): void {
    this.moving.set(blob, { state, share })
    this.#parts.onChange()
  }

  #rest(state: 'coming' | 'going'): void {
    for (const [blob, moving] of this.moving) if (moving.state === state) this.moving.delete(blob)
    this.#parts.onChange()
  }
}

/** What waits for its bytes to be at the relay, in the order in which it shall go. */
function pending({ known }: Engine): Ref[] {
  return waiting(known).flatMap(({ frame }) => {
    const blob = blobOf(frame)
    return blob !== null && known.tables.sound.get(blob)?.isDone === false ? [blob] : []
  })
}

const WORDS = { later: 'offline', gone: 'gone', refused: 'refused', unauthorised: 'refused' } as const

export function problemOfSound(error: unknown): Problem {
  if (!(error instanceof Stopped)) return new Problem('altered')
  return new Problem(WORDS[error.why])
}
