// Changes of the roster that a person makes: a link is written on what stands, and anew if another came first.

import { Problem } from '../model.ts'
import { Refusal } from '../proto/frame.ts'
import type { InviteId, MemberId, Millis, Ref } from '../proto/id.ts'
import { sha256 } from '../roster/digest.ts'
import type { Op } from '../roster/link.ts'
import { InviteSecret, writeInvite } from '../seal/invite.ts'
import { generateKeyPairs } from '../seal/keys.ts'
import type { Step } from '../state/known.ts'
import { newLink, queueTurn } from '../sync/closing.ts'
import type { Engine } from '../sync/engine.ts'

/** How often another link may come in between. */
const ATTEMPTS = 5

const HOUR_MS = 60 * 60 * 1000

/** Where a person waits for what becomes of it. */
export interface Desk {
  readonly origin: string
  readonly now: () => Millis
  readonly isOffline: () => boolean
  /** Something is to be sent. */
  readonly knock: () => void
  /** Waits for something that the relay brings about, as long as a person waits. */
  readonly until: (isDone: () => boolean) => Promise<void>
  /** A write of the store; throws the word for why there was none. */
  readonly written: <T>(writing: Promise<T>) => Promise<T>
}

/** A card for one more phone, and its link. Throws `Problem`. */
export async function invite(
  desk: Desk,
  engine: Engine,
  members: readonly MemberId[],
  deviceName: string | null,
  hours: number,
): Promise<{ readonly invite: InviteId, readonly link: string }> {
  const [secret, keys] = [new InviteSecret(), await generateKeyPairs()]
  const link = secret.link(desk.origin, engine.lane.scope)
  let invite = 0
  await turn(desk, engine, async step => {
    invite = step.roster.nextInvite
    const expiresAt = engine.relayTime(desk.now()) + hours * HOUR_MS
    const op: Op = { op: 2, invite, signPub: keys.sign.public, hpkePub: keys.hpke.public, members, expiresAt }
    const written = await newLink(step, [op])
    const { head } = written.roster
    const nameOf = (member: MemberId) => step.tables.name.get(`${member}`) ?? ''
    const names = [...step.roster.members.keys()].map(member => [member, nameOf(member)] as const)
    const blob = await secret.seal(writeInvite(head, keys, names, deviceName))
    const card = { invite, codeHash: await sha256(await secret.code()), blob }
    return queueTurn(step, written, [card], desk.now())
  })
  return { invite, link }
}

/** A link that shuts somebody out, unless another phone has done so meanwhile. Throws `Problem`. */
export function shutOut(desk: Desk, engine: Engine, op: Op & { readonly op: 4 | 5 }): Promise<void> {
  return turn(desk, engine, async step => {
    const { devices, invites } = step.roster
    const isThere = op.op === 4 ? devices.has(op.device) : invites.has(op.invite)
    return isThere ? queueTurn(step, await newLink(step, [op]), [], desk.now()) : null
  })
}

/** Hands a link in until the relay takes it. */
async function turn(desk: Desk, engine: Engine, write: (step: Step) => Promise<Ref | null>): Promise<void> {
  if (engine.lane.broken !== null) throw new Problem('unsafe')
  if (!engine.known.roster.mayWrite(engine.lane.device)) throw new Problem('refused')
  if (desk.isOffline()) throw new Problem('offline')
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const head = engine.known.roster.number
    const ref = await desk.written(engine.change(write))
    if (ref === null) return
    desk.knock()
    const row = () => engine.known.tables.outbox.get(ref)
    const isWaiting = () => row()?.doneAt === null
    await desk.until(() => !isWaiting())
    if (isWaiting()) {
      await takeBack(engine, ref)
      throw new Problem('offline')
    }
    const code = row()?.refused ?? null
    if (code !== null && code !== Refusal.STALE) throw new Problem('refused')
    // Only what was read back is in force.
    await desk.until(() => engine.known.roster.number > head)
    if (code === null) return
  }
  throw new Problem('slowDown')
}

/** What was never sent need not come about later, when nobody waits for it any more. */
function takeBack(engine: Engine, ref: Ref): Promise<void> {
  return engine.change(step => {
    if (step.tables.outbox.get(ref)?.n === null) step.put('outbox', ref, undefined)
  })
}
