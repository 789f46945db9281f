// What is inside a seal: `[1, written_at, content …]`, by kind (docs/PROTOCOL.md, 7). The relay never sees this.

import { same, type Bytes } from '../bytes.ts'
import { NotCbor, decode, encode, type Cbor } from '../codec.ts'
import type { Millis, Ref } from './id.ts'
import { between, bytes, fields, millis, only, ref, text } from './shape.ts'

/** A sealed file of sound: where its bytes are, how they open, and what comes out. */
export interface Voice {
  readonly blob: Ref
  /** Opens them, and nothing else. */
  readonly key: Bytes
  /** Bytes before sealing. */
  readonly size: number
  readonly duration: Millis
  /** As a browser names it: `audio/ogg; codecs=opus`. */
  readonly mediaType: string
  /** SHA-256 of the stored bytes. */
  readonly hash: Bytes
}

/** Rings every so often, so many times, until somebody has done it. */
export interface Reminder {
  readonly kind: 4
  readonly writtenAt: Millis
  readonly text: string
  readonly every: Millis
  readonly times: number
}

/** By kind: a letter, a voice note, a picture, a reminder, a member's name. */
export type Text =
  | { readonly kind: 1, readonly writtenAt: Millis, readonly text: string }
  | { readonly kind: 2, readonly writtenAt: Millis, readonly voice: Voice }
  /** 1 heart, 2 smile, 3 tear, 4 thumb up, 5 hug, 6 telephone. */
  | { readonly kind: 3, readonly writtenAt: Millis, readonly picture: number }
  | Reminder
  | { readonly kind: 5, readonly writtenAt: Millis, readonly text: string }

/** Not what its kind asks for: it is not shown. */
export class BadText extends Error {}

/** Of a newer version: a newer page shows it. */
export class NewerText extends BadText {}

/** Of the layout, the first item. */
const VERSION = 1

/** Bytes before sealing, and ms: what a phone fetches and decodes at most. */
const [MAX_VOICE, MAX_VOICE_MS] = [1024 * 1024, 10 * 60 * 1000]

/** A sound's type, as people may be shown it; at most 48 bytes. */
const MEDIA_TYPE = /^audio\/[A-Za-z0-9/+.;= -]{0,42}$/

const PICTURES = 6

/** From one ring of a reminder to the next, in ms; and how many. */
const [MIN_EVERY, MAX_EVERY, MAX_TIMES] = [1000, 24 * 60 * 60 * 1000, 100]

/** Bytes of a key, of a hash. */
const [KEY, HASH] = [32, 32]

const LINES = fields({ writtenAt: millis, text })

const VOICE = fields({
  writtenAt: millis,
  blob: ref,
  key: bytes(KEY),
  size: between(1, MAX_VOICE),
  duration: between(1, MAX_VOICE_MS),
  mediaType: only<string>(value => typeof value === 'string' && MEDIA_TYPE.test(value)),
  hash: bytes(HASH),
})

const PICTURE = fields({ writtenAt: millis, picture: between(1, PICTURES) })

const REMINDER = fields({ writtenAt: millis, text, every: between(MIN_EVERY, MAX_EVERY), times: between(1, MAX_TIMES) })

/** The bytes to seal. */
export function encodeText(text: Text): Bytes {
  return encode([VERSION, ...write(text)])
}

/** Reads what was sealed as a message of `kind`, to the last byte; throws `BadText`. */
export function decodeText(kind: number, bytes: Bytes): Text {
  try {
    const value = decode(bytes)
    const [version] = Array.isArray(value) ? value : []
    if (typeof version === 'number' && version > VERSION) throw new NewerText('version')
    if (Array.isArray(value) && version === VERSION) {
      const text = read(kind, value.slice(1))
      if (same(encodeText(text), bytes)) return text
    }
  } catch (error) {
    if (!(error instanceof NotCbor)) throw error
  }
  throw new BadText('text')
}

function write(text: Text): readonly Cbor[] {
  switch (text.kind) {
    case 1:
    case 5:
      return LINES.write(text)
    case 2:
      return VOICE.write({ writtenAt: text.writtenAt, ...text.voice })
    case 3:
      return PICTURE.write(text)
    case 4:
      return REMINDER.write(text)
  }
}

function read(kind: number, content: Cbor): Text {
  switch (kind) {
    case 1:
    case 5:
      return { kind, ...LINES.read(content) }
    case 2: {
      const { writtenAt, ...voice } = VOICE.read(content)
      return { kind, writtenAt, voice }
    }
    case 3:
      return { kind, ...PICTURE.read(content) }
    case 4:
      return { kind, ...REMINDER.read(content) }
    default:
      throw new NotCbor('kind')
  }
}
