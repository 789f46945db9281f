// Letting this phone into a family: what an invite opens, believed only after every check, and the join that is on the
// disk before it is sent.
//
// The card, sealed under a secret that the relay never had, pins one link. The chain must hold it, every link must
// follow from the first on, and the newest key must open all the keys before: so a relay can neither show another
// family nor add a phone of its own.

import { same, type Bytes } from '../bytes.ts'
import { Refusal, type Invited } from '../proto/frame.ts'
import type { DeviceId, Millis } from '../proto/id.ts'
import { sha256 } from '../roster/digest.ts'
import { Roster } from '../roster/roster.ts'
import { pinnedInvite, type InviteText, type PinnedInvite, type ScopedSecret, type Several } from '../seal/invite.ts'
import { generateOwnKeys } from '../seal/keys.ts'
import { random } from '../seal/primitive.ts'
import { openBack, openWrap, type FamilyKey } from '../seal/wrap.ts'
import { writeLink } from '../seal/write.ts'
import { laneOf, type Step } from '../state/known.ts'
import { blobOf, nameOf, waiting } from '../state/outbox.ts'
import type { Joining, LaneRow, SentRow } from '../state/rows.ts'
import { postName } from './draft.ts'
import { forgetChain } from './reading.ts'

/** A way in that checks. */
export interface Checked extends ScopedSecret {
  readonly card: InviteText
  readonly pinned: PinnedInvite
  readonly roster: Roster
  /** The newest; null while nobody has joined. */
  readonly key: FamilyKey | null
  readonly expiresAt: Millis
}

/** Checks all that the relay shows for an invite; a card of several is only read. Throws where anything differs. */
export async function check(way: ScopedSecret, invited: Invited): Promise<Checked | Several> {
  const card = await way.secret.open(invited.blob)
  if ('several' in card) return card
  const { links, wraps, expiresAt } = invited
  let roster = Roster.EMPTY
  for (const link of links) roster = await roster.follow(link)
  const pinned = await pinnedInvite(card, links)
  if (!roster.invites.has(pinned.invite)) throw new Error('the card was used or closed')
  return { ...way, card, pinned, roster, key: await newestKey(roster, links, wraps, card, pinned), expiresAt }
}

async function newestKey(
  roster: Roster,
  links: readonly Bytes[],
  wraps: Bytes | null,
  { keys }: InviteText,
  { invite }: PinnedInvite,
): Promise<FamilyKey | null> {
  const newest = links.at(-1)
  if (newest === undefined || roster.number === 1) return null
  if (wraps === null) throw new Error('its wraps are missing')
  await roster.checkWraps(wraps)
  const { key, before } = await openWrap(keys, { invite }, newest, wraps)
  let behind = before
  for (let at = links.length - 2; at > 0; at--) {
    const link = links[at]
    if (link === undefined || behind === null) throw new Error('the keys are cut')
    behind = await openBack(link, behind)
  }
  return key
}

/** Writes down all that joining needs. Of a family that this phone was in all stays as it is until it is let in. */
export async function prepare(step: Step, checked: Checked, order: number): Promise<void> {
  const { scope, secret, card, pinned, roster, key } = checked
  const [own, keys] = [random(16), await generateOwnKeys()]
  const { signPub, hpkePub } = keys
  const join = { op: 3, device: roster.nextDevice, signPub, hpkePub, tokenHash: await sha256(own) } as const
  const { link, wraps, roster: after } = await writeLink(roster, { invite: pinned.invite }, card.keys, [join], key)
  const frame = { type: 'join', scope, code: await secret.code(), link, wraps } as const
  const namer = roster.number === 1 ? (pinned.members[0] ?? null) : null
  const joining = { frame, secret: own, keys, chain: after.state.hashes, names: card.names, namer }
  step.put('lane', '', { ...(step.tables.lane.get('') ?? begun(step, joining, 0, order)), joining })
}

/** The relay let it in. The letters stay, and are known again by their refs. */
export function letIn(step: Step, device: DeviceId, now: Millis): void {
  const { joining, order } = laneOf(step)
  if (joining === null) return
  const unsent = waiting(step).filter(({ frame }) => frame.type === 'post' && frame.key === null)
  for (const table of ['outbox', 'name', 'reached', 'held', 'asked', 'given'] as const) step.clear(table)
  carryOver(step, unsent, joining, now)
  if (!isOfOurs(step, joining)) forgetChain(step)
  step.put('lane', '', begun(step, joining, device, order))
  for (const [member, name] of joining.names) {
    step.put('name', member, name)
    if (joining.namer !== null) postName(step, joining.namer, member, name, now)
  }
}

/** Letters that were not sent go from the new seat; never to another family: its members have the same numbers. */
function carryOver(step: Step, unsent: readonly SentRow[], { chain }: Joining, now: Millis): void {
  const [ours, theirs] = [step.roster.hashOf(1), chain[0]]
  const isSame = ours === null || (theirs !== undefined && same(ours, theirs))
  const rest = isSame ? { n: null, epoch: null } : { n: null, refused: Refusal.NEW_CHAIN, doneAt: now }
  for (const row of unsent) {
    step.put('outbox', nameOf(row.frame), { ...row, ...rest })
    const blob = blobOf(row.frame)
    const sound = step.tables.sound.get(blob ?? '')
    // Whether the relay has it still, it is asked.
    if (blob !== null && sound !== undefined) step.put('sound', blob, { ...sound, isDone: false })
  }
}

/** Whether its chain and ours are one as far as both go: each hash stands for all before. */
function isOfOurs({ roster }: Step, { chain }: Joining): boolean {
  const common = Math.min(roster.number, chain.length)
  const [ours, theirs] = [roster.hashOf(common), chain[common - 1]]
  return common === 0 || (ours !== null && theirs !== undefined && same(ours, theirs))
}

function begun({ roster }: Step, { frame, secret, keys, chain }: Joining, device: DeviceId, order: number): LaneRow {
  return {
    scope: frame.scope, order, code: frame.code, secret, keys, device, joining: null,
    joinHash: chain.at(-1) ?? new Uint8Array(0),
    cursor: null, logEpoch: 0, lastN: 0, cursorsAt: null,
    broken: null, waits: null, retryAt: null, ended: null,
    roster: roster.state, wraps: null, takenOn: 0,
  }
}
