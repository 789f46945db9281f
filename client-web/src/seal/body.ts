// The text of an entry, bound to everything about it that travels in clear.

import { concat, fromHex, utf8, type Bytes } from '../bytes.ts'
import { encode } from '../codec.ts'
import type { DeviceId, MemberId, Millis, Ref } from '../proto/id.ts'
import { ascends } from '../roster/form.ts'
import { CannotOpen, derive, open, seal } from './primitive.ts'
import type { FamilyKey } from './wrap.ts'

/** They never change, whichever epoch seals the body. */
export interface BodyFields {
  /** The one that sealed it first. */
  readonly device: DeviceId
  readonly from: MemberId
  /** The entry's. */
  readonly kind: number
  /** Ascending, each once; none: all. */
  readonly to: readonly MemberId[]
  /** The fact's; empty is not null. */
  readonly key: string | null
  /** Until when it holds; of a held body for how long. */
  readonly until: Millis | null
  /** Of every held body, of no post. */
  readonly schedule: Ref | null
}

/**
 * Seals under the key of the epoch that this link began. The same arguments give the same bytes; under one key a ref
 * meets one text and one set of fields, so what is to be sealed is on disk before, and never changes.
 */
export async function sealBody(
  key: FamilyKey,
  linkHash: Bytes,
  ref: Ref,
  fields: BodyFields,
  text: Bytes,
): Promise<Bytes> {
  return seal(await bodyKey(key), fromHex(ref), additional(linkHash, fields), text)
}

/** A fired one opens by the ref of its body. Throws `CannotOpen`. */
export async function openBody(
  key: FamilyKey,
  linkHash: Bytes,
  ref: Ref,
  fields: BodyFields,
  sealed: Bytes,
): Promise<Bytes> {
  return open(await bodyKey(key), fromHex(ref), additional(linkHash, fields), sealed)
}

function bodyKey(key: FamilyKey): Promise<Bytes> {
  return derive(key, 'jiashu/1 body', 32)
}

/** What the body is bound to. */
export function additional(linkHash: Bytes, { device, from, kind, to, key, until, schedule }: BodyFields): Bytes {
  if (!ascends(to)) throw new CannotOpen('order')
  const id = schedule === null ? null : fromHex(schedule)
  return concat(utf8('jiashu/1 body'), encode([linkHash, device, from, kind, to, key, until, id]))
}
