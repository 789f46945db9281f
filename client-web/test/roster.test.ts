import assert from 'node:assert/strict'
import { test } from 'node:test'

import { BadLink, linkHash, partsOf, readLink, writeBody } from '../src/roster/link.ts'
import { occurrenceRef } from '../src/roster/occurrence.ts'
import { DoesNotFollow, Roster } from '../src/roster/roster.ts'
import { CannotOpen } from '../src/seal/primitive.ts'
import { openWrap } from '../src/seal/wrap.ts'
import { after, chain, follow, holder, holders, isRefused, keysOf, links } from './chain.ts'
import { fromHex, toHex, vectors } from './files.ts'

const ROLES = [undefined, 'parent', 'caregiver', 'child']

function negative(name: string) {
  return chain.negative.find((it: any) => it.name === name)
}

test('the good chain is followed with its wraps, and again without', async () => {
  assert.equal(links.length, 12)
  let [fresh, old] = [Roster.EMPTY, Roster.EMPTY]
  for (const it of chain.links) {
    const link = fromHex(it.link)

    fresh = await fresh.follow(link, it.wraps && fromHex(it.wraps))
    old = await old.follow(link)

    assert.deepEqual(fresh.state, old.state, it.what)
    assert.equal(fresh.number, it.number)
    assert.equal(toHex(fresh.head), it.hash)
    assert.equal(fresh.hashOf(it.number), fresh.head)
    assert.deepEqual(await linkHash(link), fresh.head)
    assert.equal(toHex(writeBody(readLink(link))), it.body)
    checkState(fresh, it.after)
  }
  assert.equal(fresh.hashOf(0), null)
  assert.equal(fresh.hashOf(13), null)
})

function checkState(roster: Roster, { devices, invites, members }: any) {
  const serving = (map: ReadonlyMap<number, { readonly members: readonly number[] }>) =>
    Object.fromEntries(Array.from(map, ([number, { members }]) => [number, members]))
  assert.deepEqual(serving(roster.devices), devices)
  assert.deepEqual(serving(roster.invites), invites)
  assert.deepEqual(Object.fromEntries(roster.members), Object.fromEntries(
    Object.entries<number>(members).map(([member, role]) => [member, ROLES[role]]),
  ))
  for (const [device, members] of Object.entries<number[]>(devices)) {
    const isGrownUps = members.some(member => roster.members.get(member) !== 'child')
    assert.equal(roster.mayWrite(Number(device)), isGrownUps)
  }
  assert.ok(!roster.mayWrite(99))
}

test('every bad link is refused, and leaves the roster as it was', async () => {
  let [refused, leftToKeys] = [0, 0]
  for (const { name, reason, ...it } of chain.negative) {
    const before = await after(it.after)
    const kept = structuredClone(before.state)
    const link = fromHex(it.link)
    const wraps = it.wraps === null ? null : fromHex(chain.negative_wraps[it.wraps])
    if (name === 'no wraps beside the link') {
      await nobodyOpens(before, link)
      continue
    }

    const why = await isRefused(before.follow(link, wraps), BadLink)

    assert.deepEqual(before.state, kept, name)
    if (it.needs_keys_of !== undefined) {
      assert.equal(why, null, `${name}: only keys can tell`)
      leftToKeys++
      continue
    }
    refused++
    assert.notEqual(why, null, name)
    const isMeant = reason.startsWith('signature') || reason.includes('text before the body')
    assert.equal(why?.includes('signature'), isMeant, `${name}: refused for ${why}, not for ${reason}`)
    const without = await isRefused(before.follow(link), BadLink)
    assert.equal(without === null, name.includes('wrap'), `${name}: without wraps only their faults go unseen`)
  }
  assert.deepEqual([refused, leftToKeys], [83, 5])
})

// A link's wraps come beside it, and later than it where it is read from a log: who has none yet has no key.
async function nobodyOpens(before: Roster, link: Uint8Array<ArrayBuffer>) {
  const roster = await before.follow(link)
  for (const name of holders(roster)) {
    await assert.rejects(openWrap(await keysOf(name), holder(name), link, Uint8Array.of(0x80)), CannotOpen)
  }
  assert.notEqual(await isRefused(roster.checkWraps(Uint8Array.of(0x80)), BadLink), null)
}

test('wraps that come after their link are checked as if they came with it', async () => {
  const roster = await after(12)

  await roster.checkWraps(fromHex(chain.links[11].wraps))

  await assert.rejects(roster.checkWraps(fromHex(chain.links[10].wraps)), BadLink)
  await assert.rejects(Roster.EMPTY.checkWraps(Uint8Array.of(0x80)), BadLink)
})

test('a late or forked link is told from a bad one', async () => {
  const roster = await after(3)
  const fork = fromHex(negative('second link 3 on the same prev').link)

  for (const link of [links[2]!, fork]) await assert.rejects(roster.follow(link), DoesNotFollow)

  assert.deepEqual(await linkHash(links[2]!), roster.hashOf(3), 'met again, it is no fork')
  assert.notDeepEqual(await linkHash(fork), roster.hashOf(3))
  const bad = await (await after(2)).follow(fromHex(negative('unknown op').link)).catch(error => error)
  assert.ok(bad instanceof BadLink && !(bad instanceof DoesNotFollow))
})

test('a link with a bit changed, cut short or made longer is never followed', async () => {
  const roster = await after(2)
  const good = links[2]!
  const bad = [...good].map((_, at) => good.map((byte, place) => place === at ? byte ^ 1 << at % 8 : byte))

  for (const link of [...bad, good.slice(0, -1), good.slice(0, 100), Uint8Array.of(...good, 0), new Uint8Array(0)]) {
    assert.notEqual(await isRefused(roster.follow(link), BadLink), null)
  }
  await roster.follow(good)
})

test('a roster that was kept goes on as it was', async () => {
  const kept = structuredClone((await after(6)).state)

  const roster = await follow(new Roster(kept), links.slice(6))

  assert.deepEqual(roster.state, (await after(12)).state)
  assert.deepEqual([roster.nextMember, roster.nextDevice, roster.nextInvite], [7, 5, 8])
})

test('a time that no date reaches stands in a link as any other', () => {
  const { body } = partsOf(links[4]!)
  const text = toHex(body)
  const changed = text.replace('1b000001a2ce8bd400', '1b7fffffffffffffff')
  const beyond = text.replace('1b000001a2ce8bd400', '1b8000000000000000')
  const link = (body: string) => fromHex(toHex(links[4]!).replace(text, body))

  assert.equal(readLink(link(changed)).ops.find(op => op.op === 2)?.expiresAt, 2 ** 63)
  assert.throws(() => readLink(link(beyond)), BadLink)
})

test('an occurrence has the ref of its body, schedule and planned time', async () => {
  const { cases, negative } = vectors('occurrence.json')
  assert.deepEqual([cases.length, negative.length], [4, 6])
  for (const it of cases) assert.equal(await occurrenceRef(it.body_ref, it.schedule, it.planned), it.ref, it.name)
  for (const it of negative) assert.notEqual(await occurrenceRef(it.body_ref, it.schedule, it.planned), it.ref, it.name)
})

test('a planned time is nineteen digits and marks', async () => {
  const of = (planned: string) => occurrenceRef('01'.repeat(12), '02'.repeat(12), planned)

  assert.notEqual(await of('2026-11-22T20:00:00'), null)
  for (const planned of ['2026-11-22 20:00:00', '2026-11-22T20:00:0٣', '2026-11-22T20:00', '2026-11-22T20:00:00\n', '']) {
    assert.equal(await of(planned), null, planned)
  }
})
