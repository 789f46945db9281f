// What each op does, and when it may not. The author was judged by the state before the link; ops apply in order, each
// on the state that the one before left.

import type { Bytes } from '../bytes.ts'
import type { DeviceId, InviteId, MemberId, Millis } from '../proto/id.ts'
import { ascends } from './form.ts'
import { BadLink, type Author, type Op, type Role } from './link.ts'

/** A live device, and whom it serves, ascending. */
export interface Device {
  readonly signPub: Bytes
  readonly hpkePub: Bytes
  readonly tokenHash: Bytes
  readonly members: readonly MemberId[]
}

/** Neither used nor closed. Whether it expired is the relay's to say. */
export interface OpenInvite {
  readonly signPub: Bytes
  readonly hpkePub: Bytes
  readonly members: readonly MemberId[]
  readonly expiresAt: Millis
  readonly by: Author
}

/** All that is known after some links, as it may be kept (structured clone). */
export interface State {
  /** h of each link. */
  readonly hashes: readonly Bytes[]
  /** Of the newest link. */
  readonly wrapsHash: Bytes | null
  readonly members: ReadonlyMap<MemberId, Role>
  readonly devices: ReadonlyMap<DeviceId, Device>
  readonly invites: ReadonlyMap<InviteId, OpenInvite>
  readonly lastDevice: DeviceId
  readonly lastInvite: InviteId
  /** Every public key that stands in the chain. */
  readonly keys: ReadonlySet<string>
}

/** Whether the device is live and serves a parent or caregiver. */
export function mayWrite({ devices, members }: State, device: DeviceId): boolean {
  return devices.get(device)?.members.some(member => members.get(member) !== 'child') ?? false
}

/** The same, while ops are applied to it. */
type Draft = { -readonly [Name in keyof State]: State[Name] } & {
  readonly members: Map<MemberId, Role>
  readonly devices: Map<DeviceId, Device>
  readonly invites: Map<InviteId, OpenInvite>
  readonly keys: Set<string>
}

/** The state after a link's ops. Throws `BadLink`. Whether keys are points of the curve is not looked at. */
export function apply(before: State, author: Author, ops: readonly Op[]): State {
  checkMix(author, ops)
  const after: Draft = {
    ...before,
    members: new Map(before.members),
    devices: new Map(before.devices),
    invites: new Map(before.invites),
    keys: new Set(before.keys),
  }
  for (const op of ops) applyOp(after, author, op)
  // So it has not put itself out either: it would know the new key.
  if (author.kind === 'device') check(mayWrite(after, author.device), 'author')
  return after
}

/** Which ops an author may write together. */
function checkMix({ kind }: Author, ops: readonly Op[]) {
  const isAllowed = {
    founder: ops.length > 0 && ops.every(({ op }) => op < 3),
    device: ops.every(({ op }) => op !== 3),
    invite: ops.length === 1 && ops[0]?.op === 3,
  }
  check(isAllowed[kind], 'author')
}

function applyOp(to: Draft, author: Author, op: Op) {
  switch (op.op) {
    case 1:
      check(op.member === to.members.size + 1, NEXT)
      to.members.set(op.member, op.role)
      break
    case 2:
      check(op.invite === ++to.lastInvite, NEXT)
      checkMembers(to, op.members)
      takeKeys(to, op)
      to.invites.set(op.invite, { ...op, by: author })
      break
    case 3:
      join(to, author, op)
      break
    case 4:
      check(to.devices.delete(op.device), LIVE)
      for (const [invite, { by }] of to.invites) {
        if (by.kind === 'device' && by.device === op.device) to.invites.delete(invite)
      }
      break
    case 5:
      check(to.invites.delete(op.invite), OPEN)
      break
    case 6:
      checkMembers(to, op.members)
      to.devices.set(op.device, { ...present(to.devices.get(op.device), LIVE), members: op.members })
  }
}

/** What an op speaks of is not the next number, no live device, no open invite. */
const [NEXT, LIVE, OPEN] = ['next', 'device', 'invite']

/** A device comes in by the invite that signs, and closes it. */
function join(to: Draft, author: Author, op: Op & { op: 3 }) {
  const by = author.kind === 'invite' ? author.invite : 0
  const { members } = present(to.invites.get(by), OPEN)
  check(op.device === ++to.lastDevice, NEXT)
  takeKeys(to, op)
  to.invites.delete(by)
  to.devices.set(op.device, { ...op, members })
}

function checkMembers(to: Draft, members: readonly MemberId[]) {
  check(members.length > 0 && ascends(members) && members.every(member => to.members.has(member)), 'members')
}

/** Public keys of a new device or invite: no key stands in a chain twice. */
function takeKeys({ keys }: Draft, { signPub, hpkePub }: { readonly signPub: Bytes, readonly hpkePub: Bytes }) {
  for (const key of [signPub, hpkePub].map(String)) {
    check(!keys.has(key), 'key')
    keys.add(key)
  }
}

export function check(holds: boolean, what: string): asserts holds {
  if (!holds) throw new BadLink(what)
}

function present<T>(value: T | undefined, what: string): T {
  check(value !== undefined, what)
  return value
}
