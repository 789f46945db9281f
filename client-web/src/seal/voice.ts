// A voice note's file, in chunks: each in its place, and the last marked, so that a file cut or put together otherwise
// does not open.

import { concat, same, utf8, type Bytes } from '../bytes.ts'
import { sha256 } from '../roster/digest.ts'
import { CannotOpen, open, random, seal } from './primitive.ts'

/** Bytes of every chunk but the last, which is empty only alone. */
export const CHUNK = 16 * 1024
export const TAG = 16

/** Bytes of a file of that size once it is sealed. */
export function storedLength(size: number): number {
  return size + TAG * Math.max(1, Math.ceil(size / CHUNK))
}

/** To be kept on disk before anything of it is sent. */
export interface SealedVoice {
  readonly key: Bytes
  /** What the relay stores. */
  readonly stored: Bytes
  readonly hash: Bytes
}

/** A key seals one file and no other: it is given in tests alone. */
export async function sealVoice(sound: Bytes, key: Bytes = random(32)): Promise<SealedVoice> {
  const stored = await byChunk(sound, CHUNK, (nonce, chunk) => seal(key, nonce, AAD, chunk))
  return { key, stored, hash: await sha256(stored) }
}

/** Throws `CannotOpen`, also if the stored bytes are not those of this size and hash. */
export async function openVoice(key: Bytes, size: number, hash: Bytes, stored: Bytes): Promise<Bytes> {
  if (stored.length !== storedLength(size) || !same(await sha256(stored), hash)) throw new CannotOpen('hash')
  return byChunk(stored, CHUNK + TAG, (nonce, chunk) => open(key, nonce, AAD, chunk))
}

const AAD = utf8('jiashu/1 blob')

type Turn = (nonce: Bytes, chunk: Bytes) => Promise<Bytes>

async function byChunk(file: Bytes, length: number, turn: Turn): Promise<Bytes> {
  const last = Math.max(1, Math.ceil(file.length / length)) - 1
  return concat(...await Promise.all(Array.from({ length: last + 1 }, (_, index) => {
    const nonce = new Uint8Array(12)
    nonce[7] = Number(index === last)
    new DataView(nonce.buffer).setUint32(8, index)
    return turn(nonce, file.subarray(index * length, (index + 1) * length))
  })))
}
