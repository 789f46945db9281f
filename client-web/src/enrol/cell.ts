// What each cell of the families' list may say, and in which words it is refused: `client-cli/src/ngo/cell.rs`.

import { utf8 } from '../bytes.ts'
import type { Role } from '../roster/link.ts'
import { HIDDEN, toAsciiLowerCase, trim } from './sheet.ts'

/** Bytes, as the relay bounds them. */
const MAX_CASE_CODE = 64
const MAX_SITE_CODE = 32
const MAX_LANGUAGE = 35

/** Characters of a name or a label. */
const MAX_NAME = 64

/** Characters of a refused text that are repeated. */
const MAX_SHOWN = 40

/** Typing errors that a suggestion bridges. */
const MAX_SLIPS = 2

const MAX_U32 = 0xffff_ffff

/** Why a cell is refused, in words for a person. */
export class Refused extends Error {}

/** Whatever a cell is judged by that does not stand in it. */
export interface Settled {
  /** The latest date that has begun anywhere, `YYYY-MM-DD`. */
  readonly today: string
  /** Codes of the programme's sites; null if they are not known. */
  readonly sites: readonly string[] | null
  /** From which age a child's own word is enough; null without a jurisdiction. */
  readonly ownWordAge: number | null
  readonly zones: Zones
}

/** By what means consent was given, with its number on the wire. */
export const HOWS: ReadonlyMap<string, number> = new Map([
  ['written', 1],
  ['oral-with-witness', 2],
  ['thumbprint', 3],
  ['telephone', 4],
  ['online', 5],
])

/** Who looks after a family's children, with its number on the wire. */
export const CARES: ReadonlyMap<string, number> = new Map([
  ['grandparents', 1],
  ['other-parent', 2],
  ['relatives', 3],
  ['siblings', 4],
  ['neighbours', 5],
  ['boarding-school', 6],
  ['institution', 7],
  ['self', 8],
])

/** When a family means to hear each other: the RRULE days in order from Monday, and an hour on the child's clock. */
export interface Planned {
  readonly text: string
  readonly days: readonly string[]
  readonly time: string
}

/** Refuses what a spreadsheet program would run when the list is opened again. */
export function noFormula(raw: string): void {
  const [first, second] = raw
  const isMinus = first === '-' || first === '－'
  if (isMinus && second === undefined) throw new Refused('a dash alone says nothing: leave the cell empty')
  if (isMinus ? !/^[0-9]/.test(second ?? '') : /^[=+@＝＋＠\t\r]/.test(first ?? '')) {
    throw new Refused('looks like a spreadsheet formula')
  }
}

export function caseCode(text: string): string {
  if (utf8(text).length > MAX_CASE_CODE) throw new Refused(`a case code has at most ${MAX_CASE_CODE} characters`)
  if (/^[A-Za-z0-9_./-]*$/.test(text)) return text
  throw new Refused('a case code is letters a-z, digits and - _ . / without spaces, and no name')
}

export function member(text: string): number {
  const number = u32(text)
  if (number === 0) throw new Refused('members are counted from 1')
  if (number !== null) return number
  throw new Refused('not a number: the members of a family are counted 1, 2, 3 …')
}

export function role(text: string): Role {
  const role = toAsciiLowerCase(text)
  if (role === 'parent' || role === 'caregiver' || role === 'child') return role
  throw new Refused('a role is parent, caregiver or child')
}

export function how(text: string): string {
  if (HOWS.has(text)) return text
  throw new Refused(`unknown: it is one of ${[...HOWS.keys()].join(', ')}`)
}

export function care(text: string): string {
  if (CARES.has(text)) return text
  throw new Refused(`unknown: it is one of ${[...CARES.keys()].join(', ')}`)
}

/** The number of a text of consent. */
export function version(text: string): number {
  const number = u32(text)
  if (number !== null && number > 0) return number
  throw new Refused('is the number of a text, from 1 on')
}

export function yesOrNo(text: string): boolean {
  if (text === 'yes' || text === 'no') return text === 'yes'
  throw new Refused('is yes or no')
}

/** A day that is yet to come. */
export function until(text: string, today: string): string {
  if (!isDate(text)) throw new Refused('write the date as 2026-03-31')
  if (text <= today) throw new Refused('is over already: from that day on it holds no more')
  return text
}

/** A name, or the label of a phone. */
export function name(text: string): string {
  if (HIDDEN.test(text)) throw new Refused('has a line break or another hidden character')
  if ([...text].length > MAX_NAME) throw new Refused(`has more than ${MAX_NAME} characters`)
  return text
}

/** The zones of the IANA database, looked for as people write them. */
export class Zones {
  readonly #byLowerCase: ReadonlyMap<string, string>
  /** What was suggested for a text: one slip may stand in every row. */
  readonly #suggested = new Map<string, string | null>()

  constructor(names: readonly string[]) {
    this.#byLowerCase = new Map(names.map(name => [toAsciiLowerCase(name), name]))
  }

  /** The zone as its database writes it. */
  find(text: string): string {
    const found = this.#byLowerCase.get(toAsciiLowerCase(text))
    if (found !== undefined) return found
    const closest = this.#suggested.get(text) ?? this.#closest(text)
    this.#suggested.set(text, closest)
    if (closest !== null) throw new Refused(`unknown time zone: is ${closest} meant?`)
    throw new Refused('unknown time zone: write it as Europe/Rome or Asia/Shanghai')
  }

  /** The zone meant by a slip of the pen, or by a city under the wrong continent or none. */
  #closest(text: string): string | null {
    const wanted = [...toAsciiLowerCase(trim(text)).replaceAll(' ', '_')].slice(0, 40).join('')
    const wantedCity = city(wanted)
    // China keeps the time of a city that is not its capital, which is what people write.
    if (wantedCity === 'beijing') return 'Asia/Shanghai'
    let best: { readonly name: string, readonly slips: number } | null = null
    for (const [zone, name] of this.#byLowerCase) {
      // Each letter too many is a slip, so most zones need no closer look.
      const isFar = Math.abs(zone.length - utf8(wanted).length) > MAX_SLIPS
      const found = city(zone) === wantedCity ? 0 : isFar ? Infinity : slips(zone, wanted)
      const isBetter = best === null || found < best.slips || (found === best.slips && name < best.name)
      if (found <= MAX_SLIPS && isBetter) best = { name, slips: found }
    }
    return best?.name ?? null
  }
}

function city(zone: string): string {
  return zone.slice(zone.lastIndexOf('/') + 1)
}

/** Letters to add, leave out or exchange to make one text the other (Levenshtein). */
function slips(one: string, other: string): number {
  const letters = [...other]
  let row = Array.from({ length: letters.length + 1 }, (_, at) => at)
  for (const [place, a] of [...one].entries()) {
    const next = [place + 1]
    for (const [at, b] of letters.entries()) {
      const exchanged = (row[at] ?? 0) + (a === b ? 0 : 1)
      next.push(Math.min(exchanged, (next[at] ?? 0) + 1, (row[at + 1] ?? 0) + 1))
    }
    row = next
  }
  return row.at(-1) ?? 0
}

/** The shape of a tag of BCP 47: a language of two or three letters, then parts after hyphens. */
export function language(text: string): string {
  if (/^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$/.test(text) && text.length <= MAX_LANGUAGE) return text
  throw new Refused('not a language tag such as zh-Hans, ro or it')
}

/** A day of birth. */
export function born(text: string, today: string): string {
  if (isDate(text) && text > today) throw new Refused('the birth date lies in the future')
  const day = date(text, today)
  if (Number(day.slice(0, 4)) < Number(today.slice(0, 4)) - 120) {
    throw new Refused('the birth date lies more than 120 years ago')
  }
  return day
}

/** A site that the programme has, where that is known. */
export function site(text: string, sites: readonly string[] | null): string {
  if (!/^[A-Za-z0-9_.-]+$/.test(text) || text.length > MAX_SITE_CODE) {
    throw new Refused(`a site's code is 1 to ${MAX_SITE_CODE} letters, digits or any of - _ .`)
  }
  if (sites === null || sites.includes(text)) return text
  if (sites.length === 0) throw new Refused('unknown site: the programme has none yet, see jiashu ngo site add')
  throw new Refused(`unknown site: the programme has ${sites.join(', ')}`)
}

/** Such as `sun,wed 19:30` or `day 20:00`. */
export function plan(text: string): Planned {
  const blank = text.lastIndexOf(' ')
  if (blank < 0) throw new Refused('a plan is days and an hour: sun,wed 19:30')
  const [days, time] = [trim(text.slice(0, blank)), text.slice(blank + 1)]
  const everyDay = parseDays(days)
  if (!/^([01][0-9]|2[0-3]):[0-5][0-9]$/.test(time)) throw new Refused(`${quoted(time)} is not a time of day such as 19:30`)
  return { text: `${days} ${time}`, days: everyDay, time }
}

const WEEK = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday']

/** Reads `sun,wed`, `mon-fri` (also over the week's end), full names, or `day`; gives `MO` to `SU`, each once. */
function parseDays(text: string): string[] {
  const wrong = () => new Refused(`${quoted(text)} is not a list of days such as sun,wed or mon-fri or day`)
  const day = (name: string) => {
    const found = WEEK.findIndex(full => full === name || full.slice(0, 3) === name)
    if (found < 0) throw wrong()
    return found
  }
  const days = new Set<number>()
  for (const item of toAsciiLowerCase(text).split(',').map(trim)) {
    const hyphen = item.indexOf('-')
    if (item === 'day' || item === 'daily') {
      WEEK.forEach((_, at) => days.add(at))
    } else if (hyphen >= 0) {
      const [from, to] = [day(item.slice(0, hyphen)), day(item.slice(hyphen + 1))]
      for (let at = from; ; at = (at + 1) % 7) {
        days.add(at)
        if (at === to) break
      }
    } else {
      days.add(day(item))
    }
  }
  return WEEK.filter((_, at) => days.has(at)).map(full => full.slice(0, 2).toUpperCase())
}

/** As Rust shows a text between quotes: a hostile one must not fill a page, or turn it round. */
function quoted(text: string): string {
  const shown = [...text].slice(0, MAX_SHOWN).map(character => character.replace(/\p{Cc}/u, '\ufffd'))
  const escaped = shown.map(character => {
    if (character === '"' || character === '\\') return `\\${character}`
    if (character === ' ' || !/[\p{C}\p{Z}\p{Grapheme_Extend}]/u.test(character)) return character
    return `\\u{${character.codePointAt(0)?.toString(16)}}`
  })
  return `"${escaped.join('')}"`
}

/** A civil date, `YYYY-MM-DD`, that has begun somewhere on earth. */
export function date(text: string, today: string): string {
  if (!isDate(text)) throw new Refused('not a date: write it as 2026-03-31')
  if (text > today) throw new Refused('the date lies in the future')
  return text
}

function isDate(text: string): boolean {
  const day = /^\d{4}-\d{2}-\d{2}$/.test(text) ? new Date(`${text}T00:00:00Z`) : null
  return day !== null && !Number.isNaN(day.getTime()) && day.toISOString().slice(0, 10) === text
}

function u32(text: string): number | null {
  const number = /^[0-9]+$/.test(text) ? Number(text) : NaN
  return number <= MAX_U32 ? number : null
}
