// A family of the list, and its phones: whom each of them serves.

import type { Role } from '../roster/link.ts'
import type { Planned } from './cell.ts'

/** A person, as one row says; days are `YYYY-MM-DD`. */
export interface Member {
  /** Line of the file. */
  readonly row: number
  /** Number in the family, from 1. */
  readonly number: number
  readonly role: Role
  /** Stays on this machine and on the cards. */
  readonly name: string
  /** IANA. */
  readonly zone: string
  /** BCP 47. */
  readonly language: string
  /** Label of their phone in the family, if they have one. */
  readonly device: string | null
  /** Name of a phone that several families share. */
  readonly sharedDevice: string | null
  /** Of a child the guardian's. */
  readonly consentOn: string | null
  readonly assentOn: string | null
  /** Stays here. */
  readonly bornOn: string | null
  /** Month of birth of a child, where the programme has a jurisdiction. */
  readonly bornIn: string | null
  readonly countingOn: string | null
  readonly countingAssentOn: string | null
  /** By what consent was given; how it was is its number on the wire. */
  readonly terms: {
    readonly version: number | null
    readonly how: number | null
    readonly witnessed: boolean | null
    readonly until: string | null
  } | null
}

/** A family without a fault; its members are numbered from 1 without a gap. */
export interface Family {
  readonly caseCode: string
  /** By number. */
  readonly members: readonly Member[]
  readonly site: string | null
  readonly plan: Planned | null
  /** Who looks after its children. */
  readonly care: string | null
}

export interface Phone {
  readonly label: string
  readonly members: readonly Member[]
}

/** The family's phones, each with those who share it, in the order of their first members. */
export function phones(family: Family): Phone[] {
  const byLabel = new Map<string, Member[]>()
  for (const member of family.members) {
    if (member.device === null) continue
    const members = byLabel.get(member.device)
    if (members === undefined) byLabel.set(member.device, [member])
    else members.push(member)
  }
  return [...byLabel].map(([label, members]) => ({ label, members }))
}

/** A phone that serves several people, as `--json` has it. */
export interface SharedPhone {
  readonly phone: string
  /** Case codes of the families that use it, in the order of the list. */
  readonly families: string[]
  members: number
  children: number
  /** Lines of the file. */
  readonly rows: number[]
}

/** First those of one family, as its `device` has it, then those of several, by their `shared_device`. */
export function sharedPhones(families: readonly Family[]): SharedPhone[] {
  const own: SharedPhone[] = []
  const common = new Map<string, SharedPhone>()
  for (const family of families) {
    for (const { label, members } of phones(family)) {
      const name = members.find(member => member.sharedDevice !== null)?.sharedDevice ?? null
      const known = name === null ? undefined : common.get(name)
      const shared = known ?? { phone: name ?? label, families: [], members: 0, children: 0, rows: [] }
      if (name === null) own.push(shared)
      else common.set(name, shared)
      shared.families.push(family.caseCode)
      shared.members += members.length
      shared.children += members.filter(member => member.role === 'child').length
      shared.rows.push(...members.map(member => member.row))
    }
  }
  return [...own, ...common.values()].filter(shared => shared.members > 1)
}
