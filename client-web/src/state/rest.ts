// What the screens are shown of a family besides its letters: schedules, plans, who is in and what is agreed to.

import { same } from '../bytes.ts'
import type { FamilyView, Refused, RuleView, ScheduleView } from '../model.ts'
import type { IntendedRule, Rule, Schedule } from '../proto/entry.ts'
import { Refusal, type Command } from '../proto/frame.ts'
import type { MemberId, Millis, Ref } from '../proto/id.ts'
import { isCounted, takingPart } from './consent.ts'
import { ACTIVE, CANCELLED, laneOf, PAUSED, served, SPENT, type Known, type Step } from './known.ts'
import { inOrder, nameOf, waits } from './outbox.ts'
import type { SentRow } from './rows.ts'
import { dayOf, said, textOf, type Now, type Rest } from './view.ts'

/** For so long every change of the roster is shown. */
const SHOWN_MS = 30 * 24 * 60 * 60 * 1000

export function restOf(known: Known, now: Now): Rest {
  return {
    refused: refusals(known),
    schedules: schedules(known, now),
    ...intentions(known),
    cards: cards(known),
    changes: changes(known, now.now - SHOWN_MS),
    news: news(known),
    nudges: nudges(known),
    consents: consents(known, now.now),
    leaving: leaving(known),
  }
}

const WORDS: Partial<Record<Command['type'], Refused['what']>> = {
  post: 'letter', hold: 'schedule', plan: 'schedule', help: 'help', intend: 'plan', withdraw: 'withdraw', turn: 'link',
}

function refusals(known: Known): Refused[] {
  const all = new Map<Ref, Refused>()
  for (const row of inOrder(known).filter(isRefused)) {
    const { frame } = row
    const [ref, from] = [idOf(row), 'from' in frame ? frame.from : null]
    const written = frame.type === 'post' || frame.type === 'hold' ? textOf(frame) : null
    const text = written !== null && 'text' in written ? written.text : (all.get(ref)?.text ?? null)
    const what = frame.type === 'post' && frame.key !== null ? 'name' : WORDS[frame.type]
    if (what !== undefined) all.set(ref, { ref, what, from, text })
  }
  return [...all.values()]
}

/** Whether a person is to be told: not of a link written anew, nor of a body that was to be sealed again. */
function isRefused({ frame, refused }: SentRow): boolean {
  const isAnew = frame.type === 'turn' && refused === Refusal.STALE
  const isAgain = frame.type === 'hold' && frame.again !== null
  return refused !== null && !isAnew && !isAgain
}

function idOf({ frame, about }: SentRow): Ref {
  return about ?? nameOf(frame)
}

/** Forgets what was refused, as a person knows of it. */
export function putAway(step: Step, ref: Ref): void {
  for (const row of inOrder(step)) {
    if (isRefused(row) && idOf(row) === ref) step.put('outbox', nameOf(row.frame), undefined)
  }
}

/**
 * Schedules as they will stand once the relay has what waits here: who pauses one without a signal and goes on with it
 * an hour later changes what they changed, not what the log still says.
 */
export function planned(known: Known): Schedule[] {
  const rows = inOrder(known)
  const standing = [...known.tables.fact.values()].flatMap(({ content, seq }) =>
    content.type === 'schedule' ? [{ content, seq }] : [])
  const coming = rows.flatMap(({ frame, refused }) => {
    const isNew = frame.type === 'plan' && frame.schedule === null && refused === null
    if (!isNew || known.tables.fact.has(`schedule/${frame.ref}`)) return []
    const { from, to, rule, state, bank } = frame
    const rest = { id: frame.ref, device: laneOf(known).device, from, to, rule, state, bank, version: 0 }
    return [{ content: { type: 'schedule', ...rest } as const, seq: 0 }]
  })
  const asItWillStand = (it: Schedule, seq: number) => rows.reduce((it, row) => changed(it, row, seq), it)
  return [...standing, ...coming].map(({ content, seq }) => asItWillStand(content, seq))
}

function changed(schedule: Schedule, { frame, refused, seq }: SentRow, upto: number): Schedule {
  const isOf = frame.type === 'plan' && frame.schedule === schedule.id
  if (!isOf || refused !== null || (seq !== null && seq <= upto)) return schedule
  const { from, to, rule, state } = frame
  return { ...schedule, from, to, rule, state, version: schedule.version + 1 }
}

const STATES: Readonly<Record<number, ScheduleView['state']>> = {
  [ACTIVE]: 'active', [CANCELLED]: 'cancelled', [SPENT]: 'spent', [PAUSED]: 'paused',
}

function schedules(known: Known, now: Now): ScheduleView[] {
  return planned(known).map(({ id, from, to, rule, state, bank }) => {
    const isComing = state === ACTIVE && !known.tables.fact.has(`schedule/${id}`)
    const shown = isComing ? 'waits' : (STATES[state] ?? 'spent')
    return { id, from, to, rule: ruleView(rule, null), state: shown, bank, held: held(known, now, id, bank) }
  })
}

/** What waits there, as far as this phone knows: what it wrote, and what was given back. */
function held(known: Known, now: Now, schedule: Ref, isBank: boolean): ScheduleView['held'] {
  const own = inOrder(known).flatMap(({ frame, refused }) =>
    frame.type === 'hold' && frame.schedule === schedule && frame.again === null && refused === null ? [frame] : [])
  const given = known.tables.given.get(schedule) ?? []
  const gone = new Set<Ref | null>(own.map(({ replaces }) => replaces))
  for (const { message: { fired } } of known.tables.message.values()) {
    if (isBank && fired?.schedule === schedule) gone.add(fired.bodyRef)
  }
  const all = new Map(own.map(frame => [frame.ref, said(textOf(frame), known, now)]))
  for (const { message: { fired, ref }, text } of given) {
    if (text !== null) all.set(fired?.bodyRef ?? ref, said(text, known, now))
  }
  return [...all].filter(([ref]) => !gone.has(ref)).map(([ref, { kind, text, voice }]) => ({ ref, kind, text, voice }))
}

function ruleView({ start, zone, rrule }: Rule, toleranceMinutes: number | null): RuleView {
  return { start, zone, rrule, toleranceMinutes }
}

function intentions(known: Known): Pick<FamilyView, 'plan' | 'proposal'> {
  const rules = (all: readonly IntendedRule[]) => all.map(it => ruleView(it.rule, it.toleranceMinutes))
  const { tables } = known
  const [plan, proposal] = [tables.fact.get('plan'), tables.fact.get('plan/proposed')]
  const seq = plan?.seq ?? 0
  const coming = inOrder(known).findLast(row => row.frame.type === 'intend' && waits(row))?.frame
  const standing = coming?.type === 'intend' ? coming : plan?.content.type === 'plan' ? plan.content : null
  // A family that writes its plan anew has declined what was proposed before.
  const open = proposal?.content.type === 'proposal' && proposal.seq > seq ? proposal.content : null
  return { plan: standing && { rules: rules(standing.rules) }, proposal: open && { rules: rules(open.rules) } }
}

function cards(known: Known): FamilyView['cards'] {
  return [...known.roster.invites].map(([invite, { members, expiresAt }]) => ({ invite, members, expiresAt }))
}

function changes(known: Known, since: Millis): FamilyView['changes'] {
  const all = known.links.flatMap(({ number, author, ops }) => {
    const at = known.tables.link.get(`${number}`)?.at ?? 0
    const by = ({ founder: 'staff', device: 'phone', invite: 'card' } as const)[author.kind]
    const usedInvite = author.kind === 'invite' ? author.invite : null
    return ops.map(op => ({
      at,
      what: WHAT[op.op],
      device: 'device' in op ? op.device : null,
      invite: 'invite' in op ? op.invite : usedInvite,
      by,
      askedByRelay: 'asked' in op && op.asked,
    }))
  })
  return all.filter(({ at }) => at >= since).reverse()
}

/** Each kind of what changed and was said to nobody here. What a person changed on this phone, one knows of. */
function news(known: Known): FamilyView['news'] {
  const { device: me, told, joinHash } = laneOf(known)
  const own = known.roster.state.hashes.findIndex(hash => same(hash, joinHash))
  const since = own < 0 ? Infinity : Math.max(told ?? 0, own + 1)
  const ops = known.links.filter(({ number }) => number > since).flatMap(({ author, ops }) => {
    const isOurs = author.kind === 'device' && author.device === me
    return ops.filter(op => !isOurs || ('asked' in op && op.asked))
  })
  return [...new Set(ops.map(({ op }) => (op === 3 ? 'joined' : op === 4 ? 'removed' : 'changed')))]
}

const WHAT = { 1: 'member', 2: 'card', 3: 'joined', 4: 'removed', 5: 'closed', 6: 'serves' } as const

function nudges(known: Known): MemberId[] {
  const roles = served(known).map(member => known.roster.members.get(member))
  return [...known.tables.fact.values()].flatMap(({ content }) => {
    if (content.type !== 'nudge' || content.whom === 0) return []
    const isOurs = roles.includes('parent') || (content.whom === 2 && roles.includes('caregiver'))
    return isOurs ? [content.child] : []
  })
}

function consents({ roster, tables }: Known, now: Millis): FamilyView['consents'] {
  const today = dayOf(now)
  return [...roster.members].filter(([, role]) => role === 'child').map(([member]) => {
    const content = tables.fact.get(`consent/${member}`)?.content
    if (content?.type !== 'consent') return { member, taking: 'missing', counting: false }
    return { member, taking: takingPart(content, today), counting: isCounted(content, today) }
  })
}

function leaving({ tables }: Known): FamilyView['leaving'] {
  const content = tables.fact.get('leaving')?.content
  return content?.type === 'leaving' && content.until !== null ? { by: content.by, until: content.until } : null
}
