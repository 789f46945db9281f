import { concat, fromHex, toHex, utf8 } from '../bytes.ts'
import type { Ref } from '../proto/id.ts'
import { sha256 } from './digest.ts'

/**
 * The ref of one firing; null if `planned` is not the 19 characters of a civil time. Every reader computes it again,
 * and refuses another. It is never a nonce: the body was sealed under `bodyRef`.
 */
export async function occurrenceRef(bodyRef: Ref, schedule: Ref, planned: string): Promise<Ref | null> {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/.test(planned)) return null
  const text = concat(utf8('jiashu/1 occurrence'), fromHex(bodyRef), fromHex(schedule), utf8(planned))
  return toHex((await sha256(text)).subarray(0, 12))
}
