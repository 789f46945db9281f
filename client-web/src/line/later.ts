// What is done so seldom that the page loads it behind the first letters: plans, changes of the family and of this phone,
// and what is shown of all that.

import { concat, same, type Bytes } from '../bytes.ts'
import { Problem, type Actions, type FamilyId, type RuleView, type Said } from '../model.ts'
import type { IntendedRule, Rule } from '../proto/entry.ts'
import { decodeFrames, encodeFrame } from '../proto/frame.ts'
import type { MemberId, Ref } from '../proto/id.ts'
import type { Text, Voice } from '../proto/text.ts'
import { sha256 } from '../roster/digest.ts'
import { random } from '../seal/primitive.ts'
import { ACTIVE, CANCELLED, PAUSED, served, type Step } from '../state/known.ts'
import { queue } from '../state/outbox.ts'
import { planned, putAway, restOf } from '../state/rest.ts'
import type { FaceRow } from '../state/rows.ts'
import { dayOf } from '../state/view.ts'
import { newRef, postName } from '../sync/draft.ts'
import type { Engine } from '../sync/engine.ts'
import { changeOf, hold } from '../sync/planning.ts'
import { makeLink } from '../voice/link.ts'
import type { Way } from '../voice/transfer.ts'
import { problemOf } from './join.ts'
import { Offline, type Net } from './net.ts'
import { problemOfSound } from './sounds.ts'
import { invite, shutOut, type Desk as Turning } from './turning.ts'

export { restOf }

/** A text, and the sealed sound that it names. */
export interface Ready { readonly text: Text, readonly sound: Bytes | null }

/** Where the phone does what is asked of it. */
export interface Desk extends Turning {
  readonly net: Net
  /** Throws `Problem`. */
  readonly find: (family: FamilyId) => Engine
  /** One step of what a person said. */
  readonly say: <T>(family: FamilyId, work: (step: Step, engine: Engine) => T | Promise<T>) => Promise<T>
  /** What is said, as texts that never change. */
  readonly ready: (family: FamilyId, said: readonly Said[]) => Promise<readonly Ready[]>
  /** The voice note of a letter. Throws `Problem`. */
  readonly voice: (engine: Engine, ref: Ref) => Voice
  readonly way: (engine: Engine) => Way
  /** Keeps the sound of a text that is about to be queued. */
  readonly keep: (step: Step, ready: Ready) => void
}

export type Seldom =
  | 'schedule' | 'addToBank' | 'changeSchedule' | 'preview' | 'invite' | 'remove' | 'close' | 'name' | 'intend'
  | 'link' | 'withdraw' | 'askForHelp' | 'putAway' | 'seen' | 'setPicture' | 'setPin' | 'checkPin'

type Acts = { readonly [Name in Seldom]: (desk: Desk, ...given: Parameters<Actions[Name]>) => ReturnType<Actions[Name]> }

const STATES = { active: ACTIVE, cancelled: CANCELLED, paused: PAUSED } as const

const ADJUST = [null, 'gap', 'overlap'] as const

/** As `Actions` has them. */
export const ACTS: Acts = {
  // -- letters

  async schedule({ now, ready, keep, say }, family, from, to, rule, said, bank, validFor) {
    // Without a bank only the first would ever be delivered.
    if (said.length !== 1 && !bank) throw new Problem('refused')
    const all = await ready(family, said)
    return say(family, step => {
      const id = newRef()
      for (const one of all) {
        keep(step, one)
        hold(step, { from, to }, id, one.text, validFor, null, now())
      }
      const rest = { rule: ruleOf(rule), state: STATES.active, schedule: null, bank, seen: null }
      return queue(step, { type: 'plan', n: 0, ref: id, from, to, ...rest }, id, now())
    })
  },

  async addToBank({ now, ready, keep, say }, family, schedule, said) {
    const all = await ready(family, [said])
    await say(family, step => {
      const was = plannedOf(step, schedule)
      for (const one of all) {
        keep(step, one)
        hold(step, was, schedule, one.text, null, null, now())
      }
    })
  },

  async changeSchedule({ now, say }, family, schedule, state) {
    await say(family, step => {
      const was = plannedOf(step, schedule)
      const mine = served(step)
      const parent = mine.find(member => step.roster.members.get(member) === 'parent')
      const from = mine.includes(was.from) ? was.from : parent
      if (from === undefined) throw new Problem('refused')
      changeOf(step, was, from, STATES[state], now())
    })
  },

  async preview({ find, net }, family, rule, zones, count) {
    const hello = find(family).greeting()
    const preview = { type: 'preview', rule: ruleOf(rule), zones, count, after: null } as const
    const answer = await net.post(concat(encodeFrame(hello), encodeFrame(preview))).catch((error: unknown) => {
      throw error instanceof Offline ? new Problem('offline') : error
    })
    const frames = decodeFrames(answer).map(({ frame }) => frame)
    const frame = frames.find(({ type }) => type === 'previewed' || type === 'refused')
    if (frame?.type !== 'previewed') throw problemOf(frame)
    return frame.occurrences.map(({ at, adjust, clocks }) => ({
      at,
      adjust: ADJUST[adjust ?? 0] ?? null,
      clocks: clocks.map(({ local, shifts }, at) => ({ zone: zones[at] ?? '', local, shifts })),
    }))
  },

  async link({ find, voice, way, origin }, family, ref, seconds) {
    const engine = find(family)
    return makeLink(way(engine), origin, voice(engine, ref), seconds).catch((error: unknown) => {
      throw problemOfSound(error)
    })
  },

  // -- family

  invite: async (desk, family, members, deviceName, hours) =>
    invite(desk, desk.find(family), members, deviceName, hours),

  remove: async (desk, family, device) => shutOut(desk, desk.find(family), { op: 4, device, asked: false }),

  close: async (desk, family, invite) => shutOut(desk, desk.find(family), { op: 5, invite, asked: false }),

  async name({ now, say }, family, of, name) {
    await say(family, step => {
      const [from] = served(step)
      if (from === undefined) throw new Problem('refused')
      postName(step, from, of, name, now())
    })
  },

  async intend({ now, say }, family, from, rules) {
    await say(family, step => {
      const intended = rules.map((it): IntendedRule => ({ rule: ruleOf(it), toleranceMinutes: it.toleranceMinutes }))
      const seen = step.tables.fact.get('plan')?.seq ?? null
      queue(step, { type: 'intend', n: 0, ref: newRef(), from, rules: intended, seen }, null, now())
    })
  },

  async withdraw({ now, say }, family, from, of, what) {
    await say(family, (step, engine) => {
      const on = dayOf(engine.relayTime(now()))
      const frame = { type: 'withdraw', n: 0, ref: newRef(), from, of, what: what === 'taking' ? 1 : 2, on } as const
      queue(step, frame, null, now())
    })
  },

  async askForHelp({ now, say }, family, from) {
    await say(family, step => queue(step, { type: 'help', n: 0, ref: newRef(), from }, null, now()))
  },

  seen: ({ find, written }, family) => written(find(family).change(step => step.set({ told: step.roster.number }))),

  putAway: ({ find, written }, family, ref) => written(find(family).change(step => putAway(step, ref))),

  // -- this phone

  setPicture: (desk, family, member, picture) => setFace(desk, family, member, { picture }),

  async setPin(desk, family, member, pin) {
    const salt = random(16)
    await setFace(desk, family, member, { pin: pin && { salt, hash: await pinHash(salt, pin) } })
  },

  async checkPin({ find }, family, member, pin) {
    const set = find(family).known.tables.face.get(`${member}`)?.pin ?? null
    return set === null || same(await pinHash(set.salt, pin), set.hash)
  },
}

function plannedOf(step: Step, schedule: Ref) {
  const was = planned(step).find(({ id }) => id === schedule)
  if (was === undefined) throw new Problem('gone')
  return was
}

function setFace({ find, written }: Desk, family: FamilyId, member: MemberId, face: Partial<FaceRow>): Promise<void> {
  return written(find(family).change(step => {
    const known = step.tables.face.get(`${member}`) ?? { picture: null, pin: null }
    step.put('face', member, { ...known, ...face })
  }))
}

function ruleOf({ start, zone, rrule }: RuleView): Rule {
  return { start, zone, rrule, also: [], except: [] }
}

function pinHash(salt: Bytes, pin: readonly number[]): Promise<Bytes> {
  return sha256(concat(salt, Uint8Array.from(pin)))
}
