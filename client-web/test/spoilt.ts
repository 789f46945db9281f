// Voice files of the vectors, and what somebody on the way has made of them.

import { concat, utf8, type Bytes } from '../src/bytes.ts'
import { seal } from '../src/seal/primitive.ts'
import { sealVoice } from '../src/seal/voice.ts'
import { fromHex, vectors } from './files.ts'

const { pattern: { a, b }, cases } = vectors('blob.json')

/** A sound of that size, as the vectors have it. */
export function file(size: number): Bytes {
  return Uint8Array.from({ length: size }, (_, at) => a * at + b + (at >> 8))
}

/** A file that a negative case speaks of, and what is stored in its place. */
export async function spoilt(it: any): Promise<{ readonly key: Bytes, readonly sound: Bytes, readonly stored: Bytes }> {
  const [key, sound] = [fromHex(it.key), file(cases.find((good: any) => good.name === it.of).size)]
  const whole = it.make_with_nonce
    ? await seal(key, fromHex(it.make_with_nonce), utf8('jiashu/1 blob'), sound)
    : (await sealVoice(sound, key)).stored
  const stored = concat(...it.pieces.map(([from, to]: [number, number]) => whole.slice(from, to)), fromHex(it.append))
  if (it.flip_at !== null) stored[it.flip_at]! ^= 1
  return { key, sound, stored }
}
