// What people say, as commands for the outbox; and such a command, sealed, as a frame to send.
//
// In the outbox a command is its frame with the text where the seal will stand. So the draft is on the disk before it
// is sealed, and sealing never changes it.

import { toHex, type Bytes } from '../bytes.ts'
import type { Command, Post } from '../proto/frame.ts'
import type { Epoch, MemberId, Millis, Ref } from '../proto/id.ts'
import { encodeText, type Text } from '../proto/text.ts'
import { sealBody } from '../seal/body.ts'
import { random } from '../seal/primitive.ts'
import { laneOf, type Known, type Step } from '../state/known.ts'
import { queue } from '../state/outbox.ts'
import type { SentRow } from '../state/rows.ts'
import { noteHeard } from './receipts.ts'

/** Who speaks to whom: `to` ascending, empty for all. */
export interface Parties { readonly from: MemberId, readonly to: readonly MemberId[] }

export function newRef(): Ref {
  return toHex(random(12))
}

/** Queues a letter, or the name of a member under its key. */
export function post(step: Step, { from, to }: Parties, text: Text, key: string | null, now: Millis): Ref {
  const sealed = encodeText(text)
  const [ref, blob] = [newRef(), text.kind === 2 ? text.voice.blob : null]
  const frame: Post = { type: 'post', n: 0, ref, epoch: 0, from, to, kind: text.kind, sealed, key, until: null, blob }
  return queue(step, frame, null, now)
}

export function postName(step: Step, from: MemberId, of: MemberId, name: string, now: Millis): Ref {
  return post(step, { from, to: [] }, { kind: 5, writtenAt: now, text: name }, `name/${of}`, now)
}

/** Notes and queues that a message came so far with a member whom this phone serves. */
export function report(
  step: Step,
  { of, to, member }: { readonly of: Ref, readonly to: MemberId, readonly member: MemberId },
  rung: number,
  share: number | null,
  now: Millis,
): void {
  if (!noteHeard(step, of, member, { rung, at: now, share })) return
  queue(step, { type: 'report', n: 0, ref: newRef(), from: member, of, to, rung, at: now, share }, null, now)
}

/** The command as it is sent with that counter, and the epoch of its seal, 0 without; null while its key is missing. */
export async function sealed(
  known: Known,
  key: { readonly epoch: Epoch, readonly key: Bytes } | null,
  { frame }: SentRow,
  n: number,
): Promise<{ readonly epoch: Epoch, readonly frame: Command } | null> {
  if (frame.type !== 'post' && frame.type !== 'hold') return { epoch: 0, frame: { ...frame, n } }
  const linkHash = key && known.roster.hashOf(key.epoch)
  if (key === null || linkHash === null) return null
  const { from, kind, to } = frame
  const rest =
    frame.type === 'post'
      ? { key: frame.key, until: frame.until, schedule: null }
      : { key: null, until: frame.validFor, schedule: frame.schedule }
  const fields = { device: laneOf(known).device, from, kind, to, ...rest }
  const body = await sealBody(key.key, linkHash, frame.ref, fields, frame.sealed)
  return { epoch: key.epoch, frame: { ...frame, n, epoch: key.epoch, sealed: body } }
}
