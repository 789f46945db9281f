// What is made for a family before the relay hears of it: its number, link 1, keys and cards. Names and labels go onto
// the cards alone, and sealed into their blobs.

import type { Bytes } from '../bytes.ts'
import { encode, record, type Cbor } from '../codec.ts'
import { sha256 } from '../roster/digest.ts'
import { writeFirstLink } from '../seal/first.ts'
import { InviteSecret, writeInvite } from '../seal/invite.ts'
import { generateKeyPairs, type KeyPairs } from '../seal/keys.ts'
import { random } from '../seal/primitive.ts'
import { CARES } from './cell.ts'
import { phones, type Family, type Member, type Phone } from './family.ts'

const DAY_MS = 24 * 3_600_000

/** How long a printed card may lie before it is used. */
const CARD_LIFE_MS = 30 * DAY_MS

/** Number of the frame that enrols a family. */
const ENROL = 12

/** One card as it stands in `invites.json`. Who has the link can join. */
export interface PrintedCard {
  readonly case_code: string
  /** Label of the phone. */
  readonly device: string
  /** Names of those it serves, and their numbers. */
  readonly members: readonly string[]
  readonly link: string
  readonly member_numbers: readonly number[]
  /** The first member's, in which the card is printed. */
  readonly language: string
  /** The last whole day on which the link works, wherever one is. */
  readonly expires_on: string
  readonly shared_device: string | null
}

/** A family that is ready to be enrolled. */
export interface Drawn {
  readonly caseCode: string
  readonly scope: bigint
  /** What is sent; a repeat sends the same. */
  readonly frame: Bytes
  /** What is printed, one a phone. */
  readonly cards: readonly PrintedCard[]
}

/** Draws all that a family needs. A repeat draws another family, so what is drawn is kept. */
export async function draw(family: Family, origin: string, now: number): Promise<Drawn> {
  const scope = drawScope()
  const expiresAt = now + CARD_LIFE_MS
  const served = await Promise.all(
    phones(family).map(async (phone, at) => ({ phone, invite: at + 1, keys: await generateKeyPairs() })),
  )
  const first = await writeFirstLink(
    family.members.map(member => member.role),
    served.map(({ phone, invite, keys }) => ({
      number: invite,
      signPub: keys.sign.public,
      hpkePub: keys.hpke.public,
      members: phone.members.map(member => member.number),
      expiresAt,
    })),
  )
  const sealed: Cbor[] = []
  const cards: PrintedCard[] = []
  for (const { phone, invite, keys } of served) {
    const secret = new InviteSecret()
    const blob = await secret.seal(cardText(first.hash, keys, family, phone))
    sealed.push([invite, await sha256(await secret.code()), blob])
    cards.push(printed(family, phone, secret.link(origin, scope), expiresAt))
  }
  const enrol = record(
    family.caseCode,
    scope,
    first.link,
    sealed,
    family.members.map(member => [member.number, member.zone, member.language]),
    family.members.map(consent).filter(consent => consent !== null),
    null,
    family.site,
    proposal(family, now),
    family.care === null ? null : CARES.get(family.care) ?? null,
  )
  return { caseCode: family.caseCode, scope, frame: encode([ENROL, enrol]), cards }
}

// 0 is the relay's own.
function drawScope(): bigint {
  const scope = new DataView(random(8).buffer).getBigUint64(0)
  return scope === 0n ? drawScope() : scope
}

/** The text of an invite's blob: [1, pin, keys, names, device name]. */
export function cardText(pin: Bytes, keys: KeyPairs, family: Pick<Family, 'members'>, phone: Pick<Phone, 'label'>): Bytes {
  return writeInvite(pin, keys, family.members.map(member => [member.number, member.name] as const), phone.label)
}

function printed(family: Family, phone: Phone, link: string, expiresAt: number): PrintedCard {
  return {
    case_code: family.caseCode,
    device: phone.label,
    members: phone.members.map(member => member.name),
    link,
    member_numbers: phone.members.map(member => member.number),
    language: phone.members[0]?.language ?? '',
    expires_on: lastWholeDay(expiresAt),
    shared_device: phone.members.find(member => member.sharedDevice !== null)?.sharedDevice ?? null,
  }
}

/** The day before the one on which it expires where clocks are latest, 12 h behind UTC. */
export function lastWholeDay(expiresAt: number): string {
  return new Date(expiresAt - DAY_MS - DAY_MS / 2).toISOString().slice(0, 10)
}

/** What is recorded of taking part and counting; null if nothing is. Assent is a child's. */
function consent(member: Member): Cbor {
  const { number, consentOn, countingOn, bornIn, terms } = member
  const isChild = member.role === 'child'
  const assentOn = isChild ? member.assentOn : null
  const countingAssentOn = isChild ? member.countingAssentOn : null
  // A list has no child without the guardian's date, unless the child's own word is enough.
  const isAlone = isChild && consentOn === null
  const isGiven = consentOn !== null || (isAlone && assentOn !== null)
  const isCounted = countingOn !== null || (isAlone && countingAssentOn !== null)
  const by = terms === null
    ? null
    : record(terms.version, member.language, terms.how, terms.witnessed, terms.until)
  const given = isGiven ? by : null
  const counted = isCounted ? by : null
  const said = [consentOn, assentOn, countingOn, countingAssentOn, null, null, given, counted, null, null, bornIn]
  return said.every(item => item === null) ? null : record(number, ...said)
}

/** What was agreed on with the worker, on the clock of the first child, for the family to confirm. */
function proposal(family: Family, now: number): Cbor {
  const child = family.members.find(member => member.role === 'child')
  if (family.plan === null || child === undefined) return null
  const { days, time } = family.plan
  const rule = days.length === 7 ? 'FREQ=DAILY' : `FREQ=WEEKLY;BYDAY=${days.join(',')}`
  return [record([`${firstDay(days, dateIn(child.zone, now))}T${time}:00`, child.zone, rule])]
}

/** The first day from `today` on that is one of `MO` to `SU`. */
export function firstDay(days: readonly string[], today: string): string {
  const day = new Date(`${today}T00:00:00Z`)
  while (!days.includes(['SU', 'MO', 'TU', 'WE', 'TH', 'FR', 'SA'][day.getUTCDay()] ?? '')) {
    day.setUTCDate(day.getUTCDate() + 1)
  }
  return day.toISOString().slice(0, 10)
}

/** The date in a zone; by UTC where this browser has no such zone. */
function dateIn(zone: string, now: number): string {
  try {
    return new Intl.DateTimeFormat('en-CA', { timeZone: zone, dateStyle: 'short' }).format(now)
  } catch {
    return new Date(now).toISOString().slice(0, 10)
  }
}
