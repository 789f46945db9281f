// Who is in the family: phones that come and go, lists that do not check, and what is asked to be closed.

import { deepEqual, equal as same, notDeepEqual, ok, rejects } from 'node:assert/strict'
import { test } from 'node:test'

import type { Problem } from '../src/model.ts'
import { sha256 } from '../src/roster/digest.ts'
import { InviteSecret, writeInvite } from '../src/seal/invite.ts'
import { generateKeyPairs } from '../src/seal/keys.ts'
import { writeLink } from '../src/seal/write.ts'
import { keyInForce, laneOf } from '../src/state/known.ts'
import { MAMA, NAINAI, LILI, TestPhone, home, end, hands, turn } from './phone.ts'
import { NOON, ORIGIN, TestRelay } from './relay.ts'

test('a phone comes in by a link, and goes; what is held is sealed again', async () => {
  const { relay, family, mama, house } = await home()
  const { link, invite } = await mama.phone.invite('5', [NAINAI], null, 72)
  deepEqual(mama.family().cards.map(it => it.invite), [invite])
  const third = await new TestPhone(relay).join(link)
  await mama.until(() => mama.family().phones.length === 3)
  const rule = { start: '2027-01-17T19:30:00', zone: 'Asia/Shanghai', rrule: null, toleranceMinutes: null }
  const said = { kind: 'text', text: 'later' } as const
  for (const wrong of [[], [said, said]]) {
    const planned = mama.phone.schedule('5', MAMA, [LILI], rule, wrong, false, null)
    await rejects(planned, (problem: Problem) => problem.word === 'refused')
  }
  await mama.phone.schedule('5', MAMA, [LILI], rule, [said], false, null)
  await mama.until(() => mama.family().waiting === 0)
  const [held] = family.held.values()

  await mama.phone.remove('5', 3)
  await third.until(() => third.family().trouble?.kind === 'removed')
  await mama.until(() => family.held.values().next().value?.epoch === family.roster.number)

  same(mama.family().phones.length, 2)
  notDeepEqual(held?.epoch, family.roster.number)
  const changes = mama.family().changes.slice(0, 2)
  deepEqual(changes.map(it => [it.what, it.device, it.by]), [['removed', 3, 'phone'], ['joined', 3, 'card']])
  await mama.phone.send('5', MAMA, [], { kind: 'text', text: 'only for us' })
  await house.until(() => house.texts().includes('only for us'))
  same(third.texts().includes('only for us'), false)
  await end(mama, house, third)
})

test('what the relay asks to be closed is closed first, by a phone that may', async () => {
  const { family, mama, house } = await hands()
  const ask = (n: number) => [19, 'close these first', n, null, null, [[2], []]]

  family.refusals.push(ask)
  await mama.say('after the closing')
  await mama.sync()
  deepEqual([...family.roster.devices.keys()], [1])
  deepEqual(mama.texts(), ['after the closing'])
  const [change] = mama.view().changes
  deepEqual([change?.what, change?.device, change?.by, change?.askedByRelay], ['removed', 2, 'phone', true])

  await house.sync()
  same(house.view().trouble?.kind, 'removed')
})

test('a child\'s phone that may not close waits, and says so', async () => {
  const relay = new TestRelay()
  const { family, links } = await relay.enrol(5n, ['parent', 'child'], [[1], [2]])
  const child = await new TestPhone(relay).join(links[1] ?? '')
  await child.until(() => child.family().waiting === 0)
  family.refusals.push(n => [19, 'close these first', n, null, null, [[], [1]]])

  await child.phone.send('5', 2, [], { kind: 'text', text: 'waits' })
  await child.until(() => child.family().trouble?.kind === 'waits')

  deepEqual([...family.roster.invites.keys()], [1])
  same(child.family().waiting, 1)
  await end(child)
})

test('what the relay refuses for good is told until somebody puts it away', async () => {
  const { family, mama, house } = await home()
  const full = (n: number) => [15, 'full', n]
  const rule = { start: '2027-01-17T19:30:00', zone: 'Asia/Shanghai', rrule: null, toleranceMinutes: null }
  const refused = () => mama.family().refused.map(({ what, from, text }) => [what, from, text])

  family.refusals.push(full)
  await mama.phone.schedule('5', MAMA, [LILI], rule, [{ kind: 'text', text: 'on Sunday' }], false, null)
  await mama.until(() => mama.family().refused.length === 1)
  family.refusals.push(full)
  await mama.phone.askForHelp('5', MAMA)
  await mama.until(() => mama.family().refused.length === 2)
  family.refusals.push(full)
  await mama.phone.name('5', LILI, 'Lìlì')
  await mama.until(() => mama.family().refused.length === 3)

  deepEqual(refused(), [['schedule', MAMA, 'on Sunday'], ['help', MAMA, null], ['name', MAMA, 'Lìlì']])
  for (const { ref } of mama.family().refused.slice(0, 2)) await mama.phone.putAway('5', ref)
  deepEqual(refused(), [['name', MAMA, 'Lìlì']])
  deepEqual(mama.family().schedules, [])
  await end(mama, house)
})

test('a change of the family is news on every other phone until somebody saw it', async () => {
  const { relay, mama, house } = await home()
  const news = () => [mama, house].map(phone => phone.family().news)
  await mama.phone.seen('5')
  await house.until(() => house.family().changes.length > 0)
  // House came last: what was before it is none.
  deepEqual(news(), [[], []])

  const { link } = await mama.phone.invite('5', [NAINAI], null, 72)
  await house.until(() => house.family().news.length === 1)
  deepEqual(news(), [[], ['changed']])
  const third = await new TestPhone(relay).join(link)
  await mama.until(() => mama.family().phones.length === 3)
  await house.until(() => house.family().phones.length === 3)
  deepEqual(news(), [['joined'], ['changed', 'joined']])

  await house.phone.seen('5')
  await mama.phone.remove('5', 3)
  await house.until(() => house.family().phones.length === 2)
  deepEqual(news(), [['joined'], ['removed']])
  await end(mama, house, third)
})

test('until taking part is recorded letters wait, and then go by themselves', async () => {
  const { relay, family, mama, house } = await home()
  family.refusals.push(n => [5, 'not active', n])

  await mama.phone.send('5', MAMA, [], { kind: 'text', text: 'early' })
  await mama.until(() => mama.family().trouble?.kind === 'notActive')
  family.push(21, [LILI, '2027-01-01', '2027-01-01'], `consent/${LILI}`)
  await relay.wake()
  await house.until(() => house.texts().includes('early'))
  await mama.until(() => mama.family().trouble === null)

  deepEqual(mama.family().consents, [{ member: LILI, taking: 'agreed', counting: false }])
  await end(mama, house)
})

test('another list of phones than ours stops what is sealed, and is not believed', async () => {
  const { family, mama, house } = await hands()
  const backup = family.copy()
  await turn(mama)
  await house.sync()
  // The relay goes back, and takes another link in the place of that one.
  family.restore(backup)
  const known = house.engine.known
  const before = known.tables.key.get('3') ?? null
  const { keys } = laneOf(mama.engine.known)
  const other = await writeLink(family.roster, { device: 1 }, keys, [], before)
  await family.follow(other.link, other.wraps)

  await house.sync()
  await house.say('to whom?')
  await house.sync()

  same(house.view().trouble?.kind, 'unsafe')
  same(house.view().waiting, 1)
  same(family.commands.filter(({ device, kind }) => device === 2 && kind === 2).length, 0)
  ok(keyInForce(house.engine.known) !== null)
})

test('a new card is the way out of another list than ours', async () => {
  const { relay, family, mama, house } = await hands()
  await mama.say('before')
  await mama.sync()
  const backup = family.copy()
  await turn(mama)
  await house.sync()
  family.restore(backup)
  const [secret, keys] = [new InviteSecret(), await generateKeyPairs()]
  const op = {
    op: 2, invite: 3, signPub: keys.sign.public, hpkePub: keys.hpke.public, members: [NAINAI], expiresAt: NOON,
  } as const
  const before = house.engine.known.tables.key.get('3') ?? null
  const other = await writeLink(family.roster, { device: 1 }, laneOf(mama.engine.known).keys, [op], before)
  await family.follow(other.link, other.wraps)
  const names = ['mama', 'nainai', 'lili'].map((name, at) => [at + 1, name] as const)
  const blob = await secret.seal(writeInvite(other.roster.head, keys, names, null))
  family.cards.push({ invite: 3, codeHash: await sha256(await secret.code()), blob })
  await house.sync()
  await house.say('waits')
  same(house.view().trouble?.kind, 'unsafe')

  const phone = await new TestPhone(relay, house.store).join(secret.link(ORIGIN, 5n))
  await phone.until(() => phone.family().phones.length === 3 && phone.family().waiting === 0)

  same(phone.family().trouble, null)
  deepEqual(phone.texts(), ['before', 'waits'])
  await end(phone)
})

test('links that a relay lost are handed in again, and the phones whose they are stay in', async () => {
  const { family, mama, house } = await hands()
  const backup = family.copy()
  await turn(mama)
  await house.sync()
  await mama.sync()
  family.restore(backup)

  await house.say('still here')
  await house.sync()
  await mama.sync()

  same(family.roster.number, 4)
  deepEqual(mama.texts(), ['still here'])
  same(house.view().trouble, null)
})
