// The secret of an invite, the link that carries it, and what lies sealed at the relay for it.

import { concat, fromBase64Url, same, toBase64Url, u64, type Bytes } from '../bytes.ts'
import { decode, encode, type Cbor } from '../codec.ts'
import type { Epoch, InviteId, MemberId, Scope } from '../proto/id.ts'
import { ascends, bytes, list, number, text } from '../roster/form.ts'
import { linkHash, readLink } from '../roster/link.ts'
import { importOwnKeys, type KeyPairs, type OwnKeys } from './keys.ts'
import { CannotOpen, derive, open, opening, random, seal } from './primitive.ts'

const BLOB_VERSION = 1

/** What lets one device into one family. To be trusted after `pinnedInvite` alone. */
export interface InviteText {
  /** h(the link that holds the invite). */
  readonly pin: Bytes
  readonly keys: OwnKeys
  /** Every member as of that link, with the name the invite's maker knows them by. */
  readonly names: ReadonlyMap<MemberId, string>
  readonly deviceName: string | null
}

/** A card that opens several, each of which is an `InviteText`. */
export interface Several {
  readonly several: readonly ScopedSecret[]
}

export interface ScopedSecret {
  readonly scope: Scope
  readonly secret: InviteSecret
}

/** S: who holds it can join. Never sent, never shown but in its link. */
export class InviteSecret {
  readonly #bytes: Bytes

  constructor(bytes: Bytes = random(16)) {
    this.#bytes = bytes
  }

  /** What is sent to ask for the invite; the relay keeps its SHA-256. */
  code(): Promise<Bytes> {
    return derive(this.#bytes, 'jiashu/1 code', 16)
  }

  /** The blob to leave at the relay. Two texts never meet one nonce: it is given in tests alone. */
  async seal(text: Bytes, nonce: Bytes = random(12)): Promise<Bytes> {
    return concat(Uint8Array.of(BLOB_VERSION), nonce, await seal(await this.#key(), nonce, await this.code(), text))
  }

  /** Throws `CannotOpen`, also for what is no invite. */
  open(blob: Bytes): Promise<InviteText | Several> {
    return opening(async () => {
      if (blob[0] !== BLOB_VERSION) throw new CannotOpen('version')
      return readInvite(await open(await this.#key(), blob.slice(1, 13), await this.code(), blob.slice(13)))
    })
  }

  /** The link to join by. Whoever sees it can. `origin` is scheme, host and perhaps port. */
  link(origin: string, scope: Scope): string {
    const link = `${origin}/join#${toBase64Url(concat(u64(scope), this.#bytes))}`
    parseJoinLink(link)
    return link
  }

  #key(): Promise<Bytes> {
    return derive(this.#bytes, 'jiashu/1 invite', 32)
  }
}

/** The text of an invite for one device; `names` are those of all members as of the pinned link, ascending. */
export function writeInvite(
  pin: Bytes,
  { sign, hpke }: KeyPairs,
  names: readonly (readonly [MemberId, string])[],
  deviceName: string | null,
): Bytes {
  return encode([1, pin, sign.private, sign.public, hpke.private, hpke.public, names, deviceName])
}

async function readInvite(invite: Bytes): Promise<InviteText | Several> {
  const fields = list(decode(invite))
  if (fields[0] === 2) return { several: list(list(fields, 2)[1]).map(item => scopedSecret(bytes(item, 24))) }
  const [kind, pin, signPrivate, signPublic, hpkePrivate, hpkePublic, names, deviceName] = list(fields, 8)
  if (kind !== 1) throw new CannotOpen('kind')
  return {
    pin: bytes(pin, 32),
    keys: await importOwnKeys(pair(signPrivate, signPublic), pair(hpkePrivate, hpkePublic)),
    names: readNames(list(names)),
    deviceName: deviceName === null ? null : text(deviceName),
  }
}

function pair(secret: Cbor | undefined, shared: Cbor | undefined) {
  return { private: bytes(secret, 32), public: bytes(shared, 65) }
}

function readNames(names: readonly Cbor[]): ReadonlyMap<MemberId, string> {
  const read = names.map(item => {
    const [member, name] = list(item, 2)
    return [number(member), text(name)] as const
  })
  if (!ascends(read.map(([member]) => member))) throw new CannotOpen('names')
  return new Map(read)
}

function scopedSecret(bytes: Bytes): ScopedSecret {
  const scope = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0)
  return { scope, secret: new InviteSecret(bytes.slice(8)) }
}

/** Where an invite stands in its family's chain. */
export interface PinnedInvite {
  readonly invite: InviteId
  /** Whom the device will serve. */
  readonly members: readonly MemberId[]
  /** The link that holds it. */
  readonly link: Epoch
}

/**
 * Finds an invite in the family's links from link 1, which the roster took before. Throws `CannotOpen` if they are of
 * another family than the one who made the invite saw.
 */
export async function pinnedInvite({ pin, keys, names }: InviteText, links: readonly Bytes[]): Promise<PinnedInvite> {
  const members: MemberId[] = []
  for (const link of links) {
    const { number, ops } = readLink(link)
    members.push(...ops.flatMap(op => op.op === 1 ? [op.member] : []))
    if (!same(await linkHash(link), pin)) continue
    const own = ops.find(op => op.op === 2 && same(op.signPub, keys.signPub) && same(op.hpkePub, keys.hpkePub))
    if (own?.op !== 2 || String(members) !== String([...names.keys()])) break
    return { invite: own.invite, members: own.members, link: number }
  }
  throw new CannotOpen('pin')
}

export class BadLinkText extends Error {}

const JOIN_LINK = /^(https?:\/\/[A-Za-z0-9.-]+(?::(\d{1,5}))?)\/join#([A-Za-z0-9_-]{32})$/

/** Reads a link to join by: nothing but origin, `/join#` and 32 characters. Throws `BadLinkText`. */
export function parseJoinLink(link: string): ScopedSecret & { readonly origin: string } {
  const [, origin, port = 0, secret] = JOIN_LINK.exec(link) ?? []
  if (origin === undefined || secret === undefined || Number(port) > 0xffff) throw new BadLinkText('form')
  return { origin, ...scopedSecret(fromBase64Url(secret)) }
}
