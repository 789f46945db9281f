// A link is written anew for every try, with another key: who met the try that failed knows a key that seals nothing.

import type { Bytes } from '../bytes.ts'
import { encode } from '../codec.ts'
import { sha256 } from '../roster/digest.ts'
import { signedBytes, writeBody, type Author, type Op } from '../roster/link.ts'
import type { Roster } from '../roster/roster.ts'
import { signWith, type OwnKeys } from './keys.ts'
import { random } from './primitive.ts'
import { sealBack, wrapKey, type FamilyKey, type Holder } from './wrap.ts'

/** Ready to be handed to the relay. Each attempt makes another, with another key. */
export interface NewLink {
  readonly link: Bytes
  readonly wraps: Bytes
  /** In force once the relay has taken the link, never before. */
  readonly key: FamilyKey
  /** As it will be; its head is the pin of a card that the link makes. */
  readonly roster: Roster
}

/**
 * The next link, with a new key for everybody who is in after it; no ops: it only turns the key. `keyBefore` is null
 * for link 2 alone. Checked as every reader will: throws `BadLink` if it could not follow.
 */
export async function writeLink(
  roster: Roster,
  writer: Holder,
  keys: OwnKeys,
  ops: readonly Op[],
  keyBefore: FamilyKey | null,
): Promise<NewLink> {
  const author: Author = 'device' in writer ? { kind: 'device', ...writer } : { kind: 'invite', ...writer }
  const [prev, key] = [roster.head, random(32)]
  const recipients = await roster.recipientsAfter(author, ops)
  const wraps = encode(await Promise.all(recipients.map(
    async ({ kind, number, hpkePub }) => [kind, number, await wrapKey(key, hpkePub, prev)],
  )))
  const part = { back: await sealBack(key, prev, keyBefore), wrapsHash: await sha256(wraps) }
  const body = writeBody({ number: roster.number + 1, prev, author, ops, key: part })
  const link = encode([body, await signWith(keys.sign.privateKey, signedBytes(body))])
  return { link, wraps, key, roster: await roster.follow(link, wraps) }
}
