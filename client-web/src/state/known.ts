// What this phone knows of one family, in memory: immutable, so that whoever holds it sees one moment. A `Step` is the
// next moment in the making: it stands once all its writes are on the disk.

import type { Bytes } from '../bytes.ts'
import type { Schedule } from '../proto/entry.ts'
import type { DeviceId, Epoch, MemberId, Ref } from '../proto/id.ts'
import { readLink, type LinkBody } from '../roster/link.ts'
import { Roster } from '../roster/roster.ts'
import { TABLES, type LaneRow, type Rows, type Table, type Tables } from './rows.ts'
import { LARGE, type Dump, type Write } from './store.ts'

/** One family, as far as this phone knows. */
export interface Known {
  /** Its number as text. */
  readonly id: string
  readonly tables: Tables
  readonly roster: Roster
  /** From link 1 on. */
  readonly links: readonly LinkBody[]
}

/** All families of a phone; throws where the disk is not as this program left it. */
export function loadAll(dump: Dump): Known[] {
  const ids = [...(dump.get('lane')?.keys() ?? [])].map(key => key.slice(0, -1))
  return ids.map(id => load(dump, id)).sort((a, b) => laneOf(a).order - laneOf(b).order)
}

function load(dump: Dump, id: string): Known {
  const own = (table: Table) => {
    const rows = [...(dump.get(table) ?? [])].filter(([key]) => key.startsWith(`${id}/`))
    return new Map(rows.map(([key, row]) => [key.slice(id.length + 1), row]))
  }
  const tables = Object.fromEntries(TABLES.map(table => [table, own(table)])) as unknown as Tables
  const { state } = Roster.EMPTY
  const roster = new Roster(tables.lane.get('')?.roster ?? state)
  const links = roster.state.hashes.map((_, at) => readLink(linkOf(tables, at + 1)))
  return { id, tables, roster, links }
}

/** A family of which nothing is known yet. */
export function unknown(id: string): Known {
  const tables = Object.fromEntries(TABLES.map(table => [table, new Map()])) as unknown as Tables
  return { id, tables, roster: Roster.EMPTY, links: [] }
}

export class Step implements Known {
  readonly id: string
  tables: Tables
  roster: Roster
  links: readonly LinkBody[]
  readonly #writes = new Map<string, Write>()
  readonly #own = new Set<Table>()

  constructor(known: Known) {
    this.id = known.id
    this.tables = known.tables
    this.roster = known.roster
    this.links = known.links
  }

  get writes(): Write[] {
    return [...this.#writes.values()]
  }

  put<T extends Table>(table: T, key: string | number, value: Rows[T] | undefined): void {
    if (!this.#own.has(table)) this.tables = { ...this.tables, [table]: new Map(this.tables[table]) }
    this.#own.add(table)
    const rows = this.tables[table] as Map<string, Rows[T]>
    if (value === undefined) rows.delete(`${key}`)
    else rows.set(`${key}`, value)
    const write = { store: table, key: `${this.id}/${key}`, value }
    this.#writes.set(`${table} ${write.key}`, write)
  }

  /** Large bytes are not kept in memory. */
  store(key: string, bytes: Bytes): void {
    this.#writes.set(`${LARGE} ${key}`, { store: LARGE, key: `${this.id}/${key}`, value: bytes })
  }

  set(lane: Partial<LaneRow>): void {
    this.put('lane', '', { ...laneOf(this), ...lane })
  }

  /** Takes the next link; or none of all those before. */
  follow(roster: Roster, links: readonly LinkBody[]): void {
    ;[this.roster, this.links] = [roster, links]
    this.set({ roster: roster.state })
  }

  clear(table: Table): void {
    for (const key of [...this.tables[table].keys()]) this.put(table, key, undefined)
  }

  /** As it will stand. */
  known(): Known {
    const { id, tables, roster, links } = this
    return { id, tables, roster, links }
  }
}

export function laneOf(known: Known): LaneRow {
  const lane = known.tables.lane.get('')
  if (lane === undefined) throw new Error('a family without a lane')
  return lane
}

export function rawLink({ tables }: Known, number: Epoch): Bytes {
  return linkOf(tables, number)
}

function linkOf({ link }: Tables, number: Epoch): Bytes {
  const row = link.get(`${number}`)
  if (row === undefined) throw new Error(`no link ${number}`)
  return row.link
}

/** The key in force, with its epoch; null while the newest link's is not opened. */
export function keyInForce(known: Known): { readonly epoch: Epoch, readonly key: Bytes } | null {
  const epoch = known.roster.number
  const key = known.tables.key.get(`${epoch}`)
  return key === undefined ? null : { epoch, key }
}

/** The newest link that removed a phone or closed a card; 0 if none has. */
export function lastClosing(known: Known): Epoch {
  return known.links.findLast(link => link.ops.some(({ op }) => op === 4 || op === 5))?.number ?? 0
}

/** Whom that phone serves; nobody if it is out. */
export function servedBy(known: Known, device: DeviceId): readonly MemberId[] {
  return known.roster.devices.get(device)?.members ?? []
}

export function served(known: Known): readonly MemberId[] {
  return servedBy(known, laneOf(known).device)
}

export function isIn(known: Known): boolean {
  return known.roster.devices.has(laneOf(known).device)
}

export function scheduleOf(known: Known, id: Ref): Schedule | null {
  const content = known.tables.fact.get(`schedule/${id}`)?.content
  return content?.type === 'schedule' ? content : null
}

export function isRunning({ state }: { readonly state: number }): boolean {
  return state === ACTIVE || state === PAUSED
}

/** States of a schedule (docs/PROTOCOL.md, 5). */
export const [ACTIVE, CANCELLED, SPENT, PAUSED] = [1, 2, 3, 4] as const
