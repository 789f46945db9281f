// Every row of the families' list is checked before anything is made or sent: `client-cli/src/ngo/check.rs`. Pure.

import { utf8 } from '../bytes.ts'
import * as cell from './cell.ts'
import { HOWS, Refused, noFormula, type Planned, type Settled } from './cell.ts'
import type { Family, Member } from './family.ts'
import { COLUMNS, Unreadable, read, toAsciiLowerCase, trim, type Column, type Finding, type Row } from './sheet.ts'

const MAX_MEMBERS = 32
const MAX_INVITES = 12

/** Bytes of an invite's blob: at most, beside the names, and around one of them. */
const MAX_CARD = 4 * 1024
const CARD_OVERHEAD = 400
const NAME_OVERHEAD = 8

/** What the list holds. */
export interface Checked {
  /** Those without a fault, in the order of the list. */
  readonly families: readonly Family[]
  /** What is wrong, by row. */
  readonly faults: readonly Finding[]
  /** What is to be known, by row; nothing of it stops an enrolment. */
  readonly warnings: readonly Finding[]
  /** How many families have a fault; a row without a case code that can be read counts as one. */
  readonly faulty: number
}

/** What could be read of one row; a member only if the whole row is good. */
interface Reading {
  readonly line: number
  readonly caseCode: string | null
  readonly number: number | null
  readonly member: RowMember | null
}

interface RowMember extends Member {
  readonly site: string | null
  readonly plan: Planned | null
  readonly care: string | null
}

/** The rows of one case code, or one row without. */
type Group = readonly [Reading, ...Reading[]]

/** Checks the whole list, by what the programme has. */
export function check(bytes: Uint8Array, settled: Settled): Checked {
  const faults: Finding[] = []
  const warnings: Finding[] = []
  let readings: Reading[]
  try {
    readings = read(bytes).map(row => readRow(row, settled, faults))
  } catch (error) {
    if (error instanceof Unreadable) return { families: [], faults: error.faults, warnings, faulty: 0 }
    throw error
  }
  const groups = group(readings)
  for (const group of groups) {
    faults.push(...checkNumbers(group), ...checkGroup(group))
    warnings.push(...group.flatMap(warn))
  }
  faults.push(...checkCaseCodesDiffer(groups), ...checkChildrenDiffer(groups))
  return sortOut(groups, faults, warnings)
}

function group(readings: readonly Reading[]): Group[] {
  const groups: [Reading, ...Reading[]][] = []
  const places = new Map<string, [Reading, ...Reading[]]>()
  for (const reading of readings) {
    const known = reading.caseCode === null ? undefined : places.get(reading.caseCode)
    if (known !== undefined) {
      known.push(reading)
      continue
    }
    const group: [Reading, ...Reading[]] = [reading]
    groups.push(group)
    if (reading.caseCode !== null) places.set(reading.caseCode, group)
  }
  return groups
}

/** Takes cells off a row and notes what is wrong with them. */
class Cells {
  readonly faults: Finding[] = []
  readonly #row: Row

  constructor(row: Row) {
    this.#row = row
  }

  fault(column: Column, reason: string): void {
    this.faults.push({ row: this.#row.line, column, reason, case_code: null })
  }

  isEmpty(column: Column): boolean {
    return trim(this.#raw(column)) === ''
  }

  needed<T>(column: Column, judge: (text: string) => T): T | null {
    // Of a row with too few cells, that alone is said.
    if (this.isEmpty(column) && this.#row.misshapen === null) this.fault(column, 'the cell is empty')
    return this.optional(column, judge)
  }

  optional<T>(column: Column, judge: (text: string) => T): T | null {
    const raw = this.#raw(column)
    const text = trim(raw)
    try {
      // Both: a tab is one of the signs, and what is kept begins behind the blanks.
      noFormula(raw)
      noFormula(text)
      return text === '' ? null : judge(text)
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      this.fault(column, error.message)
      return null
    }
  }

  #raw(column: Column): string {
    return this.#row.cells.get(column) ?? ''
  }
}

function readRow(row: Row, settled: Settled, faults: Finding[]): Reading {
  const { today, ownWordAge } = settled
  const cells = new Cells(row)
  if (row.misshapen !== null) cells.fault(COLUMNS[0], row.misshapen)
  const date = (text: string) => cell.date(text, today)
  const caseCode = cells.needed('case_code', cell.caseCode)
  const number = cells.needed('member', cell.member)
  const role = cells.needed('role', cell.role)
  const name = cells.needed('name', cell.name)
  const zone = cells.needed('time_zone', text => settled.zones.find(text))
  const language = cells.needed('language', cell.language)
  const said = {
    row: row.line,
    device: cells.optional('device', cell.name),
    sharedDevice: cells.optional('shared_device', cell.name),
    consentOn: cells.optional('consent_on', date),
    assentOn: cells.optional('assent_on', date),
    bornOn: cells.optional('born_on', text => cell.born(text, today)),
    countingOn: cells.optional('counting_on', date),
    countingAssentOn: cells.optional('counting_assent_on', date),
    terms: terms(cells, today),
    site: cells.optional('site', text => cell.site(text, settled.sites)),
    plan: cells.optional('plan', cell.plan),
    care: cells.optional('care', cell.care),
  }
  const age = role === 'child' ? ownWordAge : null
  const bornIn = age === null ? null : said.bornOn?.slice(0, 7) ?? null
  if (role === 'child' && cells.isEmpty('consent_on') && row.misshapen === null) {
    const isOwnWord = said.assentOn !== null && bornIn !== null && age !== null && ownWordFrom(bornIn, age) <= today
    if (!isOwnWord) cells.fault('consent_on', "missing consent: the guardian's consent date is missing")
  }
  faults.push(...cells.faults.map(fault => ({ ...fault, case_code: caseCode })))
  const isGood = cells.faults.length === 0
  const isWhole = number !== null && role !== null && name !== null && zone !== null && language !== null
  const member = isGood && isWhole ? { ...said, number, role, name, zone, language, bornIn } : null
  return { line: row.line, caseCode, number, member }
}

/** By what consent was given, as this row says; null if it says nothing. */
function terms(cells: Cells, today: string): Member['terms'] {
  const version = cells.optional('consent_text', cell.version)
  const how = cells.optional('consent_how', cell.how)
  const witnessed = cells.optional('consent_witness', cell.yesOrNo)
  const until = cells.optional('consent_until', text => cell.until(text, today))
  if (version === null && how === null && witnessed === null && until === null) return null
  return { version, how: how === null ? null : HOWS.get(how) ?? null, witnessed, until }
}

/** The first day on which a child's own word is enough: that after the month in which it comes of that age. */
function ownWordFrom(bornIn: string, age: number): string {
  const [year = 0, month = 0] = bornIn.split('-').map(Number)
  const [from, at] = month === 12 ? [year + 1, 1] : [year, month + 1]
  return `${String(from + age).padStart(4, '0')}-${String(at).padStart(2, '0')}-01`
}

function finding(reading: Reading, column: Column, reason: string): Finding {
  return { row: reading.line, column, reason, case_code: reading.caseCode }
}

/** Numbers occur once, and count from 1 without a gap. */
function checkNumbers(group: Group): Finding[] {
  const faults: Finding[] = []
  const seen = new Map<number, Reading>()
  for (const reading of group) {
    const { caseCode, number } = reading
    if (caseCode === null || number === null) continue
    const earlier = seen.get(number)
    if (earlier === undefined) {
      seen.set(number, reading)
    } else {
      const reason = `member ${number} of this case code stands in row ${earlier.line} already: two families need two codes`
      faults.push(finding(reading, 'member', reason))
    }
  }
  const numbers = [...seen.keys()].sort((a, b) => a - b)
  const at = numbers.findIndex((number, at) => number !== at + 1)
  const number = numbers[at]
  const after = group.find(reading => reading.number === number)
  if (number !== undefined && after !== undefined && group.every(reading => reading.number !== null)) {
    const reason = `member ${number}, but no member ${at + 1}: number them without a gap`
    faults.push(finding(after, 'member', reason))
  }
  return faults
}

function checkGroup(group: Group): Finding[] {
  const [first] = group
  if (group.length > MAX_MEMBERS) return [finding(first, 'member', `the family has more than ${MAX_MEMBERS} members`)]
  const members = group.flatMap(reading => reading.member ?? [])
  // Of half a family, nothing can be said to be missing.
  if (members.length < group.length) return []
  const apart = [
    disagreement(group, 'site', member => member.site),
    disagreement(group, 'plan', member => member.plan?.text ?? null),
    disagreement(group, 'care', member => member.care),
  ]
  return [...checkFamily(first, members), ...apart.flatMap(fault => fault ?? [])]
}

function checkFamily(first: Reading, members: readonly Member[]): Finding[] {
  const faults: Finding[] = []
  const fault = (column: Column, reason: string) => faults.push(finding(first, column, reason))
  const adults = members.filter(member => member.role !== 'child')
  if (adults.length === members.length) fault('role', 'the family has no child')
  if (adults.length === 0) fault('role', 'the family has no parent or caregiver')
  else if (adults.every(adult => adult.device === null)) {
    fault('device', 'no parent or caregiver of the family has a phone')
  }
  const labels = [...new Set(members.flatMap(member => member.device ?? []))].sort(byCodePoints)
  if (labels.length > MAX_INVITES) fault('device', `the family has more than ${MAX_INVITES} phones`)
  const length = (text: string) => utf8(text).length
  const names = members.reduce((sum, member) => sum + length(member.name) + NAME_OVERHEAD, 0)
  if (names + Math.max(0, ...labels.map(length)) + CARD_OVERHEAD > MAX_CARD) {
    fault('name', 'the names of the family are too long together for a card')
  }
  for (const label of labels) {
    const shared = members.filter(member => member.device === label).flatMap(member => member.sharedDevice ?? [])
    if (new Set(shared).size > 1) fault('shared_device', `the phone "${label}" has two names as a shared one`)
  }
  return faults
}

function byCodePoints(one: string, other: string): number {
  const [a, b] = [[...one], [...other]]
  const at = a.findIndex((character, at) => character !== b[at])
  return at < 0 ? a.length - b.length : (a[at]?.codePointAt(0) ?? 0) - (b[at]?.codePointAt(0) ?? -1)
}

function warn(reading: Reading): Finding[] {
  const member = reading.member
  if (member === null) return []
  const isChild = member.role === 'child'
  if (isChild && member.assentOn === null) {
    const reason = "the child's assent is missing: no letter moves until `jiashu ngo consent` records it"
    return [finding(reading, 'assent_on', reason)]
  }
  if (isChild) return []
  if (member.consentOn === null) return [finding(reading, 'consent_on', 'no consent of this adult is recorded')]
  return member.assentOn === null ? [] : [finding(reading, 'assent_on', 'passed over: only a child gives assent')]
}

/** Two codes that differ in the case of letters alone are one code, mistyped. */
function checkCaseCodesDiffer(groups: readonly Group[]): Finding[] {
  const seen = new Map<string, string>()
  return groups.flatMap(([first]) => {
    const code = first.caseCode
    if (code === null) return []
    const earlier = seen.get(toAsciiLowerCase(code))
    seen.set(toAsciiLowerCase(code), code)
    if (earlier === undefined) return []
    return [finding(first, 'case_code', `${earlier} and ${code} differ only in capitals: write them alike`)]
  })
}

/** A child of one name and one day of birth stands in one family only. */
function checkChildrenDiffer(groups: readonly Group[]): Finding[] {
  const seen = new Map<string, Reading>()
  return groups.flat().flatMap(reading => {
    const member = reading.member
    if (member === null || member.role !== 'child' || member.bornOn === null) return []
    const child = JSON.stringify([member.name.toLowerCase(), member.bornOn])
    const earlier = seen.get(child)
    if (earlier === undefined) {
      seen.set(child, reading)
      return []
    }
    const where = `row ${earlier.line} (${earlier.caseCode ?? ''})`
    const reason = `duplicate child: a child of this name and day of birth stands in ${where} already`
    return [finding(reading, 'born_on', reason)]
  })
}

/** Where a row of a family says something else than an earlier one. */
function disagreement(group: Group, column: Column, of: (member: RowMember) => string | null): Finding | null {
  let said: { text: string, line: number } | null = null
  for (const reading of group) {
    const text: string | null = reading.member === null ? null : of(reading.member)
    if (text === null) continue
    if (said === null) said = { text, line: reading.line }
    else if (said.text !== text) return finding(reading, column, `row ${said.line} of this family says something else`)
  }
  return null
}

function sortOut(groups: readonly Group[], faults: Finding[], warnings: Finding[]): Checked {
  const byRow = (one: Finding, other: Finding) => one.row - other.row
  const bad = new Set(faults.flatMap(fault => fault.case_code ?? []))
  const isSound = (code: string | null): code is string => code !== null && !bad.has(code)
  const families = groups.flatMap(group => {
    const caseCode = group[0].caseCode
    if (!isSound(caseCode)) return []
    const members = group.flatMap(reading => reading.member ?? [])
    const site = members.find(member => member.site !== null)?.site ?? null
    const plan = members.find(member => member.plan !== null)?.plan ?? null
    const care = members.find(member => member.care !== null)?.care ?? null
    return [{ caseCode, members: members.sort((one, other) => one.number - other.number), site, plan, care }]
  })
  return {
    families,
    faults: faults.sort(byRow),
    warnings: warnings.filter(it => it.case_code === null || isSound(it.case_code)).sort(byRow),
    faulty: groups.length - families.length,
  }
}
