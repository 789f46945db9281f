// Link 1 of a family's roster (docs/sealing.md): who is in it, and the invites. Later links are the family's own.

import type { Bytes } from '../bytes.ts'
import { encode } from '../codec.ts'
import type { InviteId, MemberId, Millis } from '../proto/id.ts'
import { sha256 } from '../roster/digest.ts'
import { signedBytes, writeBody, type Op, type Role } from '../roster/link.ts'
import { generateKeyPair, sign } from './keys.ts'

/** A way in for one device that will serve these members, until a time. */
export interface Invite {
  readonly number: InviteId
  readonly signPub: Bytes
  readonly hpkePub: Bytes
  readonly members: readonly MemberId[]
  readonly expiresAt: Millis
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
  const signature = await sign(founder, signedBytes(body))
  return { link: encode([body, signature]), hash: await sha256(body) }
}

export function firstBody(key: Bytes, roles: readonly Role[], invites: readonly Invite[]): Bytes {
  const members = roles.map((role, at): Op => ({ op: 1, member: at + 1, role }))
  const ways = invites.map(({ number, ...way }): Op => ({ op: 2, invite: number, ...way }))
  const author = { kind: 'founder', key } as const
  return writeBody({ number: 1, prev: new Uint8Array(32), author, ops: [...members, ...ways], key: null })
}
