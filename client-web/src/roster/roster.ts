// Who is in a family after some links, and whether the next may follow: its place, its author, its signature, its key
// and its wraps. What each op does stands in apply.ts. No secrets.

import { same, type Bytes } from '../bytes.ts'
import { decode, type Cbor } from '../codec.ts'
import type { DeviceId, Epoch, InviteId, MemberId } from '../proto/id.ts'
import { apply, check, mayWrite, type Device, type OpenInvite, type State } from './apply.ts'
import { sha256 } from './digest.ts'
import { bytes, list } from './form.ts'
import { importPoint } from './point.ts'
import {
  BadLink, partsOf, readLink, signedBytes, strictly, type Author, type LinkBody, type Op, type Role,
} from './link.ts'

/** Bytes of the key before, sealed; of one wrap: HPKE's encapsulated key, and the sealed key with its tag. */
const [BACK, WRAP] = [48, 113]

/** To whom a key is wrapped: a device (1) or an invite (2). */
export interface Recipient {
  readonly kind: 1 | 2
  readonly number: DeviceId | InviteId
  readonly hpkePub: Bytes
}

/** It is not the head's next: its writer was late, or the family was forked. Compare its hash with `hashOf`. */
export class DoesNotFollow extends BadLink {}

/** Immutable. */
export class Roster {
  /** Before link 1. */
  static readonly EMPTY = new Roster({
    hashes: [],
    wrapsHash: null,
    members: new Map(),
    devices: new Map(),
    invites: new Map(),
    lastDevice: 0,
    lastInvite: 0,
    keys: new Set(),
  })

  /** Of links that were followed, as it may be kept. */
  constructor(readonly state: State) {}

  /** Of the newest link; 0 before the first. */
  get number(): Epoch {
    return this.state.hashes.length
  }

  /** h of the newest link, `prev` of the next. */
  get head(): Bytes {
    return this.state.hashes.at(-1) ?? new Uint8Array(32)
  }

  get members(): ReadonlyMap<MemberId, Role> {
    return this.state.members
  }

  /** Live ones, ascending. */
  get devices(): ReadonlyMap<DeviceId, Device> {
    return this.state.devices
  }

  /** Open ones, ascending. */
  get invites(): ReadonlyMap<InviteId, OpenInvite> {
    return this.state.invites
  }

  /** The number that the next to join must have. */
  get nextDevice(): DeviceId {
    return this.state.lastDevice + 1
  }

  get nextInvite(): InviteId {
    return this.state.lastInvite + 1
  }

  get nextMember(): MemberId {
    return this.state.members.size + 1
  }

  /** h of that link, which every body sealed in the epoch is bound to. */
  hashOf(epoch: Epoch): Bytes | null {
    return this.state.hashes[epoch - 1] ?? null
  }

  /** Whether the device is live and serves a parent or caregiver, so may change the roster. */
  mayWrite(device: DeviceId): boolean {
    return mayWrite(this.state, device)
  }

  /** The roster after the next link; with its wraps where it is the newest. Throws `BadLink`. */
  async follow(link: Bytes, wraps?: Bytes | null): Promise<Roster> {
    const { body, signature } = partsOf(link)
    const { number, prev, author, ops, key } = readLink(link)
    const isNext = number === this.number + 1 && same(prev, this.head)
    if (!isNext) throw new DoesNotFollow('next')
    checkKey(number, key)
    check(await isSigned(this.#keyOf(author), signedBytes(body), signature), 'signature')
    const applied = await this.#apply(author, ops)
    const hashes = [...this.state.hashes, await sha256(body)]
    const after = new Roster({ ...applied, hashes, wrapsHash: key && key.wrapsHash })
    if (wraps) await after.checkWraps(wraps)
    return after
  }

  /** To whom the next link would wrap its key, ascending. Throws `BadLink` if these ops cannot follow. */
  async recipientsAfter(author: Author, ops: readonly Op[]): Promise<readonly Recipient[]> {
    return recipients(await this.#apply(author, ops))
  }

  /**
   * Whether these are the wraps that the newest link was written with, to exactly who is in. Whether one opens, only
   * its recipient can tell. Throws `BadLink`.
   */
  async checkWraps(wraps: Bytes): Promise<void> {
    const { wrapsHash } = this.state
    check(wrapsHash !== null && same(await sha256(wraps), wrapsHash), 'wraps')
    const given = readWraps(wraps)
    const due = recipients(this.state)
    const isDue = ({ kind, number }: Wrap, at: number) => kind === due[at]?.kind && number === due[at]?.number
    check(given.length === due.length && given.every(isDue), 'wraps')
  }

  async #apply(author: Author, ops: readonly Op[]): Promise<State> {
    const after = apply(this.state, author, ops)
    await Promise.all(ops.map(checkPoints))
    return after
  }

  /** The signing key of an author who may write the next link. */
  #keyOf(author: Author): Bytes {
    check((author.kind === 'founder') === (this.number === 0), 'author')
    if (author.kind === 'founder') return author.key
    if (author.kind === 'device') check(this.mayWrite(author.device), 'author')
    const writer = author.kind === 'device' ? this.devices.get(author.device) : this.invites.get(author.invite)
    check(writer !== undefined, 'author')
    return writer.signPub
  }
}

function recipients({ devices, invites }: State): readonly Recipient[] {
  const those = (kind: 1 | 2, map: ReadonlyMap<number, Device | OpenInvite>) =>
    Array.from(map, ([number, { hpkePub }]) => ({ kind, number, hpkePub }))
  return [...those(1, devices), ...those(2, invites)]
}

/** As it is read: its recipient may be none. */
interface Wrap {
  readonly kind: Cbor | undefined
  readonly number: Cbor | undefined
  readonly sealed: Bytes
}

/** The wraps beside a link; form only. Throws `BadLink`. */
export function readWraps(wraps: Bytes): readonly Wrap[] {
  return strictly(() => list(decode(wraps)).map(wrap => {
    const [kind, number, sealed] = list(wrap, 3)
    return { kind, number, sealed: bytes(sealed, WRAP) }
  }))
}

/** None in link 1, one without a key before in link 2. */
function checkKey(number: Epoch, key: LinkBody['key']) {
  const length = number === 1 ? undefined : number === 2 ? 0 : BACK
  check(key?.back.length === length, 'key')
}

async function isSigned(key: Bytes, message: Bytes, signature: Bytes): Promise<boolean> {
  try {
    const how = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
    return await crypto.subtle.verify(how, await importPoint(key, 'ECDSA', ['verify']), signature, message)
  } catch {
    return false
  }
}

async function checkPoints(op: Op) {
  if (!('signPub' in op)) return
  try {
    await Promise.all([op.signPub, op.hpkePub].map(key => importPoint(key, 'ECDH')))
  } catch {
    throw new BadLink('key')
  }
}
