// A link as it travels and as it reads (docs/sealing.md "The roster"). Whether it may follow is the roster's to say.

import { concat, utf8, type Bytes } from '../bytes.ts'
import { NotCbor, decode, encode, type Cbor } from '../codec.ts'
import type { DeviceId, Epoch, InviteId, MemberId, Millis } from '../proto/id.ts'
import { sha256 } from './digest.ts'
import { bytes, list, millis, number } from './form.ts'

const VERSION = 1

/** Bytes of a public key, of a hash, of a signature. */
const [KEY, HASH, SIGNATURE] = [65, 32, 64]

/** What roles are on the wire, from 1. */
const ROLES = ['parent', 'caregiver', 'child'] as const

export type Role = typeof ROLES[number]

export type Op =
  | { readonly op: 1, readonly member: MemberId, readonly role: Role }
  | {
    readonly op: 2
    readonly invite: InviteId
    readonly signPub: Bytes
    readonly hpkePub: Bytes
    readonly members: readonly MemberId[]
    readonly expiresAt: Millis
  }
  | {
    readonly op: 3
    readonly device: DeviceId
    readonly signPub: Bytes
    readonly hpkePub: Bytes
    readonly tokenHash: Bytes
  }
  | { readonly op: 4, readonly device: DeviceId, readonly asked: boolean }
  | { readonly op: 5, readonly invite: InviteId, readonly asked: boolean }
  | { readonly op: 6, readonly device: DeviceId, readonly members: readonly MemberId[] }

export type Author =
  | { readonly kind: 'founder', readonly key: Bytes }
  | { readonly kind: 'device', readonly device: DeviceId }
  | { readonly kind: 'invite', readonly invite: InviteId }

export interface LinkBody {
  readonly number: Epoch
  readonly prev: Bytes
  readonly author: Author
  readonly ops: readonly Op[]
  /** `back` is the key before, sealed under this link's; empty in link 2. Null in link 1. */
  readonly key: { readonly back: Bytes, readonly wrapsHash: Bytes } | null
}

/** The roster is as it was before, and nothing more is sealed to it; says in a word why. */
export class BadLink extends Error {}

/** Reads the body of a link; form only. Throws `BadLink`. */
export function readLink(link: Bytes): LinkBody {
  return strictly(() => {
    const [version, nth, prev, author, ops, key] = list(decode(partsOf(link).body), 6)
    if (version !== VERSION) throw new NotCbor('version')
    return {
      number: number(nth),
      prev: bytes(prev, HASH),
      author: readAuthor(list(author, 2)),
      ops: list(ops).map(op => readOp(list(op))),
      key: key === null ? null : readKey(list(key, 2)),
    }
  })
}

/** What is hashed and signed, and the signature. Throws `BadLink`. */
export function partsOf(link: Bytes): { readonly body: Bytes, readonly signature: Bytes } {
  return strictly(() => {
    const [body, signature] = list(decode(link), 2)
    return { body: bytes(body), signature: bytes(signature, SIGNATURE) }
  })
}

/** h(link): two links of one hash are the same link, whatever their signatures. Throws `BadLink`. */
export function linkHash(link: Bytes): Promise<Bytes> {
  return sha256(partsOf(link).body)
}

/** What the signature of a link with this body is over. */
export function signedBytes(body: Bytes): Bytes {
  return concat(utf8('jiashu/1 link'), body)
}

/** The bytes of a body that is about to be signed. */
export function writeBody({ number, prev, author, ops, key }: LinkBody): Bytes {
  return encode([VERSION, number, prev, writeAuthor(author), ops.map(writeOp), key && [key.back, key.wrapsHash]])
}

/** Whatever cannot be read is a bad link. */
export function strictly<T>(read: () => T): T {
  try {
    return read()
  } catch {
    throw new BadLink('form')
  }
}

function readAuthor([kind, who]: readonly Cbor[]): Author {
  switch (kind) {
    case 0: return { kind: 'founder', key: bytes(who, KEY) }
    case 1: return { kind: 'device', device: number(who) }
    case 2: return { kind: 'invite', invite: number(who) }
    default: throw new NotCbor('author')
  }
}

function writeAuthor(author: Author): Cbor {
  switch (author.kind) {
    case 'founder': return [0, author.key]
    case 'device': return [1, author.device]
    case 'invite': return [2, author.invite]
  }
}

function readKey([back, wrapsHash]: readonly Cbor[]): LinkBody['key'] {
  return { back: bytes(back), wrapsHash: bytes(wrapsHash, HASH) }
}

/** Items of each op, its number included. */
const LENGTHS = [0, 3, 6, 5, 3, 3, 3]

function readOp(fields: readonly Cbor[]): Op {
  const [op, first, second, third, fourth, fifth] = fields
  list(fields, LENGTHS[number(op)])
  switch (op) {
    case 1: return { op, member: number(first), role: role(second) }
    case 2: return {
      op,
      invite: number(first),
      signPub: bytes(second, KEY),
      hpkePub: bytes(third, KEY),
      members: list(fourth).map(number),
      expiresAt: millis(fifth),
    }
    case 3: return {
      op,
      device: number(first),
      signPub: bytes(second, KEY),
      hpkePub: bytes(third, KEY),
      tokenHash: bytes(fourth, HASH),
    }
    case 4: return { op, device: number(first), asked: asked(second) }
    case 5: return { op, invite: number(first), asked: asked(second) }
    case 6: return { op, device: number(first), members: list(second).map(number) }
    default: throw new NotCbor('op')
  }
}

function writeOp(op: Op): Cbor {
  switch (op.op) {
    case 1: return [1, op.member, ROLES.indexOf(op.role) + 1]
    case 2: return [2, op.invite, op.signPub, op.hpkePub, op.members, op.expiresAt]
    case 3: return [3, op.device, op.signPub, op.hpkePub, op.tokenHash]
    case 4: return [4, op.device, Number(op.asked)]
    case 5: return [5, op.invite, Number(op.asked)]
    case 6: return [6, op.device, op.members]
  }
}

function role(value: Cbor | undefined): Role {
  const role = ROLES[number(value) - 1]
  if (role === undefined) throw new NotCbor('role')
  return role
}

function asked(value: Cbor | undefined): boolean {
  if (value !== 0 && value !== 1) throw new NotCbor('asked')
  return value === 1
}
