// A CSV file as rows of cells, each with the line of the file it begins at: what `client-cli/src/ngo/sheet.rs` does,
// to the letter, as both say the same of one list (client-web/fixtures). What a cell may say is `cell`'s to judge.

/** The columns, by name in the first row, in any order. Those after the first ten may be missing. */
export const COLUMNS = [
  'case_code', 'member', 'role', 'name', 'time_zone', 'language', 'device', 'shared_device', 'consent_on', 'assent_on',
  'born_on', 'counting_on', 'counting_assent_on', 'site', 'plan', 'consent_text', 'consent_how', 'consent_witness',
  'consent_until', 'care',
] as const

export type Column = (typeof COLUMNS)[number]

const NEEDED_COLUMNS = 10

/** Far more than those that are known, and than a person has to take out. */
const MAX_COLUMNS = 256

/** Characters of an unknown column's name that are said of it. */
const MAX_SHOWN = 40

/** Something to be said about one cell, row or file, as `--json` has it. */
export interface Finding {
  /** Line of the file at which the row begins; the column names stand in line 1. */
  readonly row: number
  /** Of a whole row or file its first. */
  readonly column: string
  readonly reason: string
  readonly case_code: string | null
}

/** What makes a file as a whole unreadable: its encoding, or its first row. */
export class Unreadable extends Error {
  readonly faults: readonly Finding[]

  constructor(faults: readonly Finding[]) {
    super('the file is no list')
    this.faults = faults
  }
}

export interface Row {
  readonly line: number
  /** As they stand in the file; a cell that is not there is empty. */
  readonly cells: ReadonlyMap<Column, string>
  /** Says what is wrong if it has another number of cells than the first row. */
  readonly misshapen: string | null
}

interface Rec {
  readonly line: number
  readonly cells: readonly string[]
}

/** Reads the whole file, passing over empty rows; throws `Unreadable`. */
export function read(bytes: Uint8Array): Row[] {
  const text = decode(bytes)
  const records = split(text, sniffSeparator(text)).filter(record => record.cells.some(cell => trim(cell) !== ''))
  const [first, ...rest] = records
  if (first === undefined) return refuse('the file is empty')
  const places = findColumns(first)
  if (rest.length === 0) return refuse('the file has no row but the first')
  return rest.map(record => row(record, places, first.cells.length))
}

/** Cuts off what Unicode calls white space: `String.trim` has other ideas of it. */
export function trim(text: string): string {
  return text.replace(/^\p{White_Space}+|\p{White_Space}+$/gu, '')
}

/** Small letters for A to Z alone. */
export function toAsciiLowerCase(text: string): string {
  return text.replace(/[A-Z]/g, letter => letter.toLowerCase())
}

/** Not seen, and yet changes what is: controls, and those that turn the direction of writing. */
export const HIDDEN = /[\p{Cc}\u202a-\u202e\u2066-\u2069]/u

function refuse(reason: string, row = 1): never {
  throw new Unreadable([{ row, column: COLUMNS[0], reason, case_code: null }])
}

function decode(bytes: Uint8Array): string {
  const saveAs = 'save it as "CSV UTF-8"'
  const starts = (bytes: Uint8Array, ...signs: readonly number[]) => signs.every((sign, at) => bytes[at] === sign)
  if (starts(bytes, 0xef, 0xbb, 0xbf)) bytes = bytes.subarray(3)
  if (starts(bytes, 0xff, 0xfe) || starts(bytes, 0xfe, 0xff) || bytes.includes(0)) {
    refuse(`the file is UTF-16, or no text: ${saveAs}`)
  }
  if (starts(bytes, 0x50, 0x4b, 0x03, 0x04)) refuse(`the file is a spreadsheet, not CSV: ${saveAs}`)
  const text = asUtf8(bytes)
  return text ?? refuse(`the file is not UTF-8 from here on: ${saveAs}`, lineOfBadByte(bytes))
}

function asUtf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return null
  }
}

// A line's end is never part of another character, so the first line that does not read has the bad byte.
function lineOfBadByte(bytes: Uint8Array): number {
  let line = 1
  let from = 0
  for (let at = 0; at < bytes.length; at++) {
    const isEnd = bytes[at] === 10 || (bytes[at] === 13 && bytes[at + 1] !== 10)
    if (!isEnd) continue
    if (asUtf8(bytes.subarray(from, at)) === null) return line
    from = at + 1
    line++
  }
  return line
}

/** The separator that stands most often in the first line. */
function sniffSeparator(text: string): string {
  const first = text.replace(/^[\r\n]+/, '').split('\n', 1)[0] ?? ''
  const count = (separator: string) => first.split(separator).length
  // Of equals the last wins, so a file of one column is read as separated by commas.
  return ['\t', ';', ','].reduce((best, next) => (count(next) >= count(best) ? next : best))
}

/**
 * Parts text into records as the csv crate does: a quote opens only at the start of a cell, and what follows a closing
 * one is taken as it stands. A library would read most files alike, and those that a person has spoilt otherwise.
 */
function split(text: string, separator: string): Rec[] {
  const records: Rec[] = []
  let line = 1
  let at = 0
  const step = () => {
    const character = text[at++]
    if (character === '\n' || (character === '\r' && text[at] !== '\n')) line++
    return character
  }
  const isAtEnd = () => at >= text.length || text[at] === '\r' || text[at] === '\n'
  const quoted = () => {
    let content = ''
    step()
    while (at < text.length) {
      const character = step()
      if (character !== '"') content += character
      else if (text[at] === '"') content += step()
      else break
    }
    return content
  }
  const cell = () => {
    let content = text[at] === '"' ? quoted() : ''
    while (!isAtEnd() && text[at] !== separator) content += step()
    return content
  }
  while (at < text.length) {
    if (isAtEnd()) {
      step()
      continue
    }
    const record = { line, cells: [cell()] }
    while (text[at] === separator) {
      step()
      record.cells.push(cell())
    }
    records.push(record)
  }
  return records
}

function row(record: Rec, places: ReadonlyMap<Column, number>, width: number): Row {
  const has = record.cells.length
  const hasMore = record.cells.slice(width).some(cell => trim(cell) !== '')
  const misshapen = has < width || hasMore
    ? `the row has ${has} cells, the first row ${width}: is a separator or a quote missing?`
    : null
  const cells = new Map([...places].map(([column, place]) => [column, record.cells[place] ?? '']))
  return { line: record.line, cells, misshapen }
}

function findColumns(first: Rec): Map<Column, number> {
  if (first.cells.length > MAX_COLUMNS) {
    refuse(`the first row has more than ${MAX_COLUMNS} cells: is it a list?`, first.line)
  }
  const names = first.cells.map(name => toAsciiLowerCase(trim(name)))
  const faults: Finding[] = []
  const fault = (column: string, reason: string) => faults.push({ row: first.line, column, reason, case_code: null })
  for (const [place, name] of names.entries()) {
    if (name === '') continue
    if (!COLUMNS.some(column => column === name)) {
      const shown = [...name].slice(0, MAX_SHOWN).join('')
      fault(shown.replace(new RegExp(HIDDEN, 'gu'), '\ufffd'), 'unknown column: take it out, or correct its name')
    } else if (names.indexOf(name) < place) {
      fault(name, 'the column stands twice in the first row')
    }
  }
  const places = new Map<Column, number>()
  for (const [number, column] of COLUMNS.entries()) {
    const place = names.indexOf(column)
    if (place >= 0) places.set(column, place)
    else if (number < NEEDED_COLUMNS) fault(column, 'missing column: its name must stand in the first row')
  }
  if (faults.length > 0) throw new Unreadable(faults)
  return places
}
