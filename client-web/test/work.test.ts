import assert from 'node:assert/strict'
import { test } from 'node:test'

import { firstDay, lastWholeDay } from '../src/enrol/draw.ts'
import type { Family, Member } from '../src/enrol/family.ts'
import { Work } from '../src/enrol/work.ts'
import { ALL, filled } from '../src/words.ts'
import './files.ts'

function member(number: number, role: Member['role'], device: string | null): Member {
  return {
    row: number + 1, number, role, name: `Kanary${number}`, zone: 'Europe/Rome', language: 'it', device,
    sharedDevice: null, consentOn: null, assentOn: null, bornOn: null, bornIn: null, countingOn: null,
    countingAssentOn: null, terms: null,
  }
}

const FAMILY: Family = {
  caseCode: 'LI-7',
  members: [member(1, 'parent', 'phone'), member(2, 'child', null)],
  site: null,
  care: null,
  plan: null,
}

async function drawn(work: Work, family = FAMILY) {
  await work.draw([family], 'https://relay.example.org', () => {})
  return work.waiting[0]
}

test('a family whose answer was lost goes again with the same bytes and cards', async () => {
  const work = new Work()
  const first = await drawn(work)

  assert.strictEqual(await drawn(work), first)
  assert.deepEqual(work.cards, [], 'a card that may open nothing is not printed')
  assert.equal(work.allCards.length, 1)
})

test('a family that a busy relay may have taken keeps its cards and goes again', async () => {
  const work = new Work()
  const family = await drawn(work)
  assert.ok(family)

  for (const code of [11, 12]) {
    work.settle(family, { code, text: 'later', retryMs: 0 })
    assert.strictEqual(await drawn(work), family)
    assert.deepEqual([work.told[0]?.fate, work.cards.length, work.allCards.length], ['drawn', 0, 1])
  }
  work.settle(family, { caseCode: 'LI-7', scope: family.scope, active: true })
  assert.equal(work.cards.length, 1)
})

test('only what the relay confirms as ours is printed', async () => {
  const work = new Work()
  const family = await drawn(work)
  assert.ok(family)

  work.settle(family, { caseCode: 'LI-7', scope: family.scope + 1n, active: true })
  assert.deepEqual([work.told[0]?.fate, work.allCards], ['elsewhere', []])
  work.settle(family, { code: 9, text: 'no', retryMs: 0 })
  assert.deepEqual([work.told[0]?.reason, work.allCards], ['no', []])
  work.settle(family, { caseCode: 'LI-7', scope: family.scope, active: false })
  assert.deepEqual([work.told[0]?.fate, work.cards.length], ['not_active', 1])
})

test('a changed row is told, and its cards stay', async () => {
  const work = new Work()
  const family = await drawn(work)
  assert.ok(family)
  work.settle(family, { caseCode: 'LI-7', scope: family.scope, active: true })
  const [parent, child] = FAMILY.members
  assert.ok(parent && child)
  const renamed = { ...FAMILY, members: [{ ...parent, name: 'Ana' }, child] }

  await work.draw([renamed], 'https://relay.example.org', () => {})

  assert.deepEqual(work.changed([FAMILY]), [])
  assert.deepEqual(work.changed([renamed]), ['LI-7'])
  assert.deepEqual(work.waiting, [])
})

test('closing the tab is warned of until the links are safe or forgotten', async () => {
  const work = new Work()
  assert.ok(!work.isAtRisk)
  await drawn(work)
  assert.ok(work.isAtRisk)
  work.linksAreSafe()
  assert.ok(!work.isAtRisk)
  await drawn(work, { ...FAMILY, caseCode: 'LI-8' })
  assert.ok(work.isAtRisk)
  work.forget()
  assert.ok(!work.isAtRisk && work.told.length === 0)
})

test('a card names a day on which it works to the end everywhere', () => {
  const noon = Date.UTC(2026, 11, 24, 12)

  assert.equal(lastWholeDay(noon), '2026-12-23')
  assert.equal(lastWholeDay(noon - 1), '2026-12-22')
})

test('a plan begins on the next of its days, today if it is one', () => {
  assert.equal(firstDay(['WE', 'SU'], '2026-11-25'), '2026-11-25')
  assert.equal(firstDay(['SU'], '2026-12-28'), '2027-01-03')
})

test('every language says everything, with the same gaps to fill', () => {
  const gaps = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(String).sort()
  const { en, ...others } = ALL
  assert.ok(en)
  for (const [language, words] of Object.entries(others)) {
    assert.deepEqual(Object.keys(words), Object.keys(en), language)
    for (const [key, text] of Object.entries(words)) {
      assert.deepEqual(gaps(text), gaps(en[key as keyof typeof en]), `${language} ${key}`)
    }
  }
  assert.equal(filled('{a} of {b}', { a: '{b}', b: 2 }), '{b} of 2')
})
