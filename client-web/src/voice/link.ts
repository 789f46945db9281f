// The address by which somebody without the app hears a voice note. The relay learns from it which bytes are wanted, and
// not how they open: that stands behind the #, which no program sends.

import { fromBase64Url, toBase64Url, utf8, type Bytes } from '../bytes.ts'
import { decode, encode } from '../codec.ts'
import type { Ref } from '../proto/id.ts'
import { decodeText, type Voice } from '../proto/text.ts'
import { sha256 } from '../roster/digest.ts'
import { opened } from './fetch.ts'
import { Stopped, blobPath, download, refuse, request, type OnShare, type Part, type Way } from './transfer.ts'

/** What a link says of the sound: its name and hash are not told. */
export type Told = Pick<Voice, 'key' | 'size' | 'duration' | 'mediaType'>

export interface VoiceLink {
  /** What the relay made; opaque. */
  readonly token: string
  readonly voice: Told
}

/** Not a link to a voice note, or not all of it. */
export class BadVoiceLink extends Error {}

const TOKEN = /^[A-Za-z0-9_-]{1,200}$/

/** Has the relay make a link that holds for so many seconds. Throws `Stopped`. */
export async function makeLink(way: Way, origin: string, voice: Voice, seconds: number): Promise<string> {
  return linkTo(origin, await askToken(way, voice.blob, seconds), voice)
}

async function askToken(way: Way, blob: Ref, seconds: number): Promise<string> {
  const [body, headers] = [utf8(JSON.stringify({ seconds })), { 'Content-Type': 'application/json' }]
  const asked = await request(way, `${blobPath(blob)}/link`, { method: 'POST', body, headers }, async response => {
    if (response.status !== 201) return refuse(response)
    return (await response.json() as { readonly token?: unknown }).token
  }).catch((error: unknown) => {
    // A person waits, and presses again.
    throw error instanceof Stopped ? error : new Stopped('later')
  })
  if (typeof asked !== 'string' || !TOKEN.test(asked)) throw new Stopped('later')
  return asked
}

/** `origin` is scheme, host and perhaps port. */
export function linkTo(origin: string, token: string, { key, size, duration, mediaType }: Told): string {
  return `${origin}/v#${token}.${toBase64Url(encode([key, size, duration, mediaType]))}`
}

/** Reads what stands behind the #, in its one form; throws `BadVoiceLink`, which repeats nothing of it. */
export function parseFragment(fragment: string): VoiceLink {
  const [token = '', opens = '', ...more] = fragment.split('.')
  try {
    const bytes = fromBase64Url(opens)
    const told = decode(bytes)
    const isOneForm = TOKEN.test(token) && more.length === 0 && toBase64Url(bytes) === opens
    if (isOneForm && Array.isArray(told) && told.length === 4) return { token, voice: check(told) }
  } catch {
    // The reason would say a part of it.
  }
  throw new BadVoiceLink()
}

// It keeps to the bounds of every voice note.
function check(told: readonly Parameters<typeof encode>[0][]): Told {
  const text = decodeText(2, encode([1, 0, new Uint8Array(12), ...told, new Uint8Array(32)]))
  if (text.kind !== 2) throw new BadVoiceLink()
  const { key, size, duration, mediaType } = text.voice
  return { key, size, duration, mediaType }
}

/** The sound behind a link. Throws `Stopped`; `CannotOpen` if it is not what the link says. */
export async function followLink(way: Way, { token, voice }: VoiceLink, part: Part, onShare?: OnShare): Promise<Bytes> {
  const stored = await download(way, `/1/v/${token}`, part, onShare)
  // Without the hash, the tags of the chunks, their places and the size say that it is all of it.
  const { sound } = await opened({ ...voice, blob: '', hash: await sha256(stored) }, part, stored)
  return sound
}
