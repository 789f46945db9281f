// How a link carries its new key: wrapped for each who is in after it, and with the key before behind it.

import { concat, utf8, type Bytes } from '../bytes.ts'
import type { DeviceId, InviteId } from '../proto/id.ts'
import { readLink, type LinkBody } from '../roster/link.ts'
import { readWraps } from '../roster/roster.ts'
import { hpkeOpen, hpkeSeal } from './hpke.ts'
import type { OwnKeys } from './keys.ts'
import { CannotOpen, derive, open, opening, seal } from './primitive.ts'

/** K of an epoch, 32 bytes. */
export type FamilyKey = Bytes

/** Who opens a wrap, or writes a link. */
export type Holder = { readonly device: DeviceId } | { readonly invite: InviteId }

/**
 * The key of the newest link, of which these are the checked wraps, and the key before; null at link 2. Who knows the
 * key before compares: a ghost key shows there. Throws `CannotOpen`.
 */
export function openWrap(
  keys: OwnKeys,
  who: Holder,
  link: Bytes,
  wraps: Bytes,
): Promise<{ readonly key: FamilyKey, readonly before: FamilyKey | null }> {
  return opening(async () => {
    const body = readLink(link)
    const [kind, number] = 'device' in who ? [1, who.device] : [2, who.invite]
    const wrap = readWraps(wraps).find(wrap => wrap.kind === kind && wrap.number === number)
    if (wrap === undefined) throw new CannotOpen('wraps')
    const key = await hpkeOpen(keys, info(body.prev), wrap.sealed)
    return { key, before: await keyBehind(body, key) }
  })
}

/** The key of the link before, opened by the key of this one; null at link 2. Throws `CannotOpen`. */
export function openBack(link: Bytes, key: FamilyKey): Promise<FamilyKey | null> {
  return opening(async () => keyBehind(readLink(link), key))
}

export function wrapKey(key: FamilyKey, recipient: Bytes, prev: Bytes): Promise<Bytes> {
  return hpkeSeal(recipient, info(prev), key)
}

/** `back` of a link that brings this key; empty if there is none before. */
export async function sealBack(key: FamilyKey, prev: Bytes, before: FamilyKey | null): Promise<Bytes> {
  return before === null ? new Uint8Array(0) : seal(await backKey(key), NONCE, prev, before)
}

/** Each key seals one key before, and nothing else by this nonce. */
const NONCE = new Uint8Array(12)

async function keyBehind({ number, prev, key: part }: LinkBody, key: FamilyKey): Promise<FamilyKey | null> {
  if (part === null) throw new CannotOpen('key')
  return number === 2 && part.back.length === 0 ? null : open(await backKey(key), NONCE, prev, part.back)
}

function backKey(key: FamilyKey): Promise<Bytes> {
  return derive(key, 'jiashu/1 prev', 32)
}

function info(prev: Bytes): Bytes {
  return concat(utf8('jiashu/1 epoch'), prev)
}
