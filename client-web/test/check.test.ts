import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Zones } from '../src/enrol/cell.ts'
import { check } from '../src/enrol/check.ts'
import { phones, sharedPhones } from '../src/enrol/family.ts'
import { fixture, zoneNames } from './files.ts'

interface Case {
  readonly list: string
  readonly today: string
  readonly sites: readonly string[] | null
  readonly own_word_age: number | null
  readonly faults: unknown
  readonly dry_run: unknown
}

const zones = new Zones(zoneNames())
const cases: readonly Case[] = JSON.parse(new TextDecoder().decode(fixture('expected.json')))

for (const { list, today, sites, own_word_age, faults, dry_run } of cases) {
  test(`the browser says of ${list} what the command line says`, () => {
    const checked = check(fixture(list), { today, sites, ownWordAge: own_word_age, zones })

    const { families } = checked
    const members = families.reduce((sum, family) => sum + family.members.length, 0)
    const said = {
      dry_run: true,
      families: families.length,
      members,
      printed: families.reduce((sum, family) => sum + phones(family).length, 0),
      skipped: checked.faulty,
      warnings: checked.warnings,
      shared_phones: sharedPhones(families),
    }
    assert.deepEqual(checked.faults, faults)
    assert.deepEqual(said, dry_run)
  })
}

test('a list of ten thousand families is checked while somebody waits', () => {
  const rows = Array.from({ length: 10_000 }, (_, at) => (
    `F-${at},1,parent,Ana,Europe/Rom,ro,P,,,\nF-${at},2,child,Ion,Europe/Chisinau,ro,,,2026-05-03,\n`
  ))
  const list = `case_code,member,role,name,time_zone,language,device,shared_device,consent_on,assent_on\n${rows.join('')}`
  const settled = { today: '2026-11-24', sites: null, ownWordAge: null, zones }
  const before = performance.now()

  const checked = check(new TextEncoder().encode(list), settled)

  assert.equal(checked.faults.length, 10_000)
  // Far more than it takes, so that only another order of growth fails.
  assert.ok(performance.now() - before < 20_000)
})
