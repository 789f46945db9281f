// Link 1 of a family's roster (docs/sealing.md): who is in it, and the invites. Later links are the family's own.

import { concat, utf8, type Bytes } from './bytes.ts'
import { encode, type Cbor } from './codec.ts'
import { generateKeyPair, sha256, sign } from './seal.ts'

export type Role = 'parent' | 'caregiver' | 'child'

/** What a role is on the wire. */
const ROLES: Record<Role, number> = { parent: 1, caregiver: 2, child: 3 }

/** A way in for one device that will serve these members, until a time in ms. */
export interface Invite {
  readonly number: number
  readonly signPub: Bytes
  readonly hpkePub: Bytes
  readonly members: readonly number[]
  readonly expiresAt: number
}

export interface FirstLink {
  readonly link: Bytes
  /** h(link): the pin of every card. */
  readonly hash: Bytes
}

/** Writes link 1, signed by a key that is forgotten here. Members are numbered from 1, in order. */
export async function writeFirstLink(roles: readonly Role[], invites: readonly Invite[]): Promise<FirstLink> {
  const founder = await generateKeyPair()
  const body = firstBody(founder.public, roles, invites)
  const signature = await sign(founder, concat(utf8('jiashu/1 link'), body))
  return { link: encode([body, signature]), hash: await sha256(body) }
}

/** The body of link 1: [1, number, prev, author, ops, key]. */
export function firstBody(founder: Bytes, roles: readonly Role[], invites: readonly Invite[]): Bytes {
  const members: Cbor[] = roles.map((role, at) => [1, at + 1, ROLES[role]])
  const ways = invites.map(it => [2, it.number, it.signPub, it.hpkePub, it.members, it.expiresAt])
  return encode([1, 1, new Uint8Array(32), [0, founder], [...members, ...ways], null])
}
