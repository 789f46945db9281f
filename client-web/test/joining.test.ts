// How phones come in, come in again, and what a card opens.

import { deepEqual, equal as same, rejects } from 'node:assert/strict'
import { test } from 'node:test'

import { fromBase64Url } from '../src/bytes.ts'
import { encode } from '../src/codec.ts'
import type { FamilyView, Looked } from '../src/model.ts'
import { sha256 } from '../src/roster/digest.ts'
import { Roster } from '../src/roster/roster.ts'
import { InviteSecret } from '../src/seal/invite.ts'
import { MAMA, NAINAI, LILI, TestPhone, home, end, hands, isProblem, posts, refOf } from './phone.ts'
import { ORIGIN, TestRelay } from './relay.ts'

test('several families share one round and one connection', async () => {
  const { relay, links } = await home().then(async at => {
    await end(at.mama, at.house)
    const { links } = await at.relay.enrol(9n, ['parent', 'child'], [[1], [2]])
    return { relay: at.relay, links }
  })
  const other = await relay.enrol(11n, ['parent', 'child'], [[1], [2]])
  const phone = await new TestPhone(relay).join(links[1] ?? '')
  await phone.phone.join(await phone.phone.look(other.links[1] ?? ''))
  const parent = await new TestPhone(relay).join(other.links[0] ?? '')

  await parent.phone.send('11', 1, [], { kind: 'text', text: 'to the other family' })
  await phone.until(() => phone.phone.view().families.length === 2 && phone.texts(1).includes('to the other family'))

  deepEqual(phone.phone.view().families.map(({ id }) => id), ['9', '11'])
  deepEqual(phone.texts(0), [])
  await end(phone, parent)
})

test('two phones that join at once both come in', async () => {
  const relay = new TestRelay()
  const { family, links } = await relay.enrol(5n, ['parent', 'child'], [[1], [2]])
  const phones = [new TestPhone(relay), new TestPhone(relay)]
  await Promise.all(phones.map(({ phone }) => phone.open()))
  const looked = await Promise.all(phones.map(({ phone }, at) => phone.look(links[at] ?? '')))

  await Promise.all(phones.map(({ phone }, at) => phone.join(looked[at] ?? { families: [] })))
  await Promise.all(phones.map(phone => phone.until(() => phone.family().phones.length === 2)))

  same(family.roster.number, 3)
  deepEqual(phones.map(phone => phone.family().phones.filter(({ isThis }) => isThis).length), [1, 1])
  await end(...phones)
})

test('a join whose answer was lost is sent again by the next process, and lets in once', async () => {
  const relay = new TestRelay()
  const { family, links } = await relay.enrol(5n, ['parent', 'child'], [[1], [2]])
  const first = new TestPhone(relay)
  await first.phone.open()
  const looked = await first.phone.look(links[0] ?? '')
  deepEqual(looked.families.map(({ members }) => members), [[{ id: 1, role: 'parent', name: 'parent 1' }]])

  relay.losesAnswer = true
  await rejects(first.phone.join(looked), isProblem('offline'))
  await end(first)
  const second = new TestPhone(relay, first.store)
  await second.phone.open()
  await second.until(() => second.phone.view().families.length === 1 && second.family().waiting === 0)

  deepEqual([...family.roster.devices.keys()], [1])
  await end(second)
})

test('a join that is tapped again after a lost answer goes as it stood', async () => {
  const relay = new TestRelay()
  const { family, links } = await relay.enrol(5n, ['parent', 'child'], [[1], [2]])
  const phone = new TestPhone(relay)
  await phone.phone.open()
  const looked = await phone.phone.look(links[0] ?? '')

  relay.losesAnswer = true
  await rejects(phone.phone.join(looked), isProblem('offline'))
  await phone.phone.join(looked)
  await phone.until(() => phone.phone.view().families.length === 1 && phone.family().waiting === 0)

  same(phone.family().trouble, null)
  deepEqual(phone.family().phones.map(({ isThis }) => isThis), [true])
  same(family.roster.number, 2)
  await end(phone)
})

test('a join whose answer was lost is settled when the line is back, and before another card', async () => {
  const relay = new TestRelay()
  const { links } = await relay.enrol(5n, ['parent', 'child'], [[1], [1], [1]])
  const [first, second] = [new TestPhone(relay), new TestPhone(relay)]
  await Promise.all([first.phone.open(), second.phone.open()])
  const other = await second.phone.look(links[2] ?? '')
  const lose = async ({ phone }: TestPhone, card: Looked) => {
    relay.losesAnswer = true
    await rejects(phone.join(card), isProblem('offline'))
  }

  await lose(first, await first.phone.look(links[0] ?? ''))
  first.phone.wake()
  await first.until(() => first.phone.view().families.length === 1 && first.family().waiting === 0)
  await lose(second, await second.phone.look(links[1] ?? ''))
  await rejects(second.phone.join(other), isProblem('refused'))
  await second.until(() => second.family().phones.length === 2)

  deepEqual([first.family().trouble, second.family().trouble], [null, null])
  await end(first, second)
})

test('a phone that was removed comes in again by a new card, with its old letters', async () => {
  const { mama, house } = await home()
  await mama.phone.send('5', MAMA, [], { kind: 'text', text: 'before' })
  await house.until(() => house.texts().includes('before'))
  await mama.phone.remove('5', 2)
  await house.until(() => house.family().trouble?.kind === 'removed')

  const { link } = await mama.phone.invite('5', [NAINAI, LILI], null, 72)
  await house.phone.join(await house.phone.look(link))
  await house.until(() => house.family().trouble === null && house.family().phones.length === 2)
  await mama.phone.send('5', MAMA, [], { kind: 'text', text: 'after' })
  await house.until(() => house.texts().includes('after'))

  deepEqual(house.texts(), ['before', 'after'])
  deepEqual(house.family().phones.map(({ device, isThis }) => [device, isThis]), [[1, false], [3, true]])
  await rejects(house.phone.look(link), isProblem('invite'))
  await end(mama, house)
})

test('a phone that was told that it is out asks again when a person does, and once a page', async () => {
  const { relay, mama, house } = await home()
  await mama.phone.remove('5', 2)
  await house.until(() => house.family().trouble?.kind === 'removed')
  await end(mama)
  const asked = async (phone: TestPhone) => {
    const before = relay.rounds
    phone.phone.tryNow()
    await phone.until(() => relay.rounds > before && phone.phone.view().line === 'live')
    return phone.family().trouble?.kind
  }

  same(await asked(house), 'removed')
  await end(house)
  const again = new TestPhone(relay, house.store)
  const before = relay.rounds
  await again.phone.open()
  await again.until(() => relay.rounds > before && again.phone.view().line === 'live')
  same(again.family().trouble?.kind, 'removed')
  await end(again)
})

test('what was not sent goes once a new card has let this phone in, under the same name', async () => {
  const { family, mama, house } = await home()
  await mama.phone.remove('5', 2)
  await house.until(() => house.family().trouble?.kind === 'removed')
  const ref = await house.phone.send('5', NAINAI, [], { kind: 'text', text: 'unsent' })
  const { link } = await mama.phone.invite('5', [NAINAI, LILI], null, 72)

  await house.phone.join(await house.phone.look(link))
  await house.until(() => house.family().waiting === 0 && house.family().phones.length === 2)
  await mama.until(() => mama.texts().includes('unsent'))

  deepEqual(posts(family).map(({ body }) => refOf(body)), [ref])
  deepEqual(house.texts(), ['unsent'])
  await end(mama, house)
})

test('a link by which a phone asks to be let in is told from a used one', async () => {
  const { family, mama, house } = await home()
  const secret = new InviteSecret()
  const link = secret.link(ORIGIN, 5n)
  await rejects(mama.phone.look(link), isProblem('invite'))
  family.tickets.push(await sha256(await secret.code()))

  await rejects(mama.phone.look(link), isProblem('cardOnly'))

  await end(mama, house)
})

test('a new card that comes to nothing leaves the old letters where they are', async () => {
  const { relay, mama, house } = await home()
  await mama.phone.send('5', MAMA, [], { kind: 'text', text: 'before' })
  await house.until(() => house.texts().includes('before'))
  await mama.phone.remove('5', 2)
  await house.until(() => house.family().trouble?.kind === 'removed')
  const { link, invite } = await mama.phone.invite('5', [NAINAI], null, 72)
  const looked = await house.phone.look(link)

  relay.isDown = true
  await rejects(house.phone.join(looked), isProblem('offline'))
  deepEqual([house.texts(), house.family().trouble?.kind], [['before'], 'removed'])
  await end(house)
  const again = new TestPhone(relay, house.store)
  await again.phone.open()
  deepEqual([again.texts(), again.family().trouble?.kind], [['before'], 'removed'])
  relay.isDown = false
  await mama.phone.close('5', invite)
  await rejects(again.phone.join(looked), isProblem('invite'))

  deepEqual([again.texts(), again.family().trouble?.kind], [['before'], 'removed'])
  await end(mama, again)
})

test('a link of another relay is not asked for at this one', async () => {
  const relay = new TestRelay()
  const { links } = await relay.enrol(5n, ['parent', 'child'], [[1], [2]])
  const { phone } = new TestPhone(relay)

  await rejects(phone.look((links[0] ?? '').replace(ORIGIN, 'https://other.example')), isProblem('otherRelay'))
  same(relay.rounds, 0)
  same((await phone.look((links[0] ?? '').replace('relay.example', 'Relay.example:443'))).families.length, 1)
})

test('of a school\'s card no family is left out without a word, but for those that used it', async () => {
  const relay = new TestRelay()
  const [one, two] = await Promise.all([5n, 9n].map(scope => relay.enrol(scope, ['parent', 'child'], [[1], [2]])))
  if (one === undefined || two === undefined) throw new Error('no families')
  const secrets = [one, two].map(({ links }) => fromBase64Url((links[1] ?? '').split('#')[1] ?? ''))
  const card = async (several: readonly Uint8Array<ArrayBuffer>[]) => {
    const school = new InviteSecret()
    const blob = await school.seal(encode([2, several]))
    one.family.cards.push({ invite: 1, codeHash: await sha256(await school.code()), blob })
    return school.link(ORIGIN, 5n)
  }
  const [link, huge] = [await card(secrets), await card(Array(65).fill(secrets[0]))]
  const { phone } = new TestPhone(relay)

  two.family.isBusy = true
  await rejects(phone.look(link), isProblem('slowDown'))
  two.family.isBusy = false
  const [first] = two.family.links.splice(0, 1, new Uint8Array(3))
  await rejects(phone.look(link), isProblem('unsafe'))
  two.family.links[0] = first ?? new Uint8Array(3)
  same((await phone.look(link)).families.length, 2)
  two.family.cards = []
  same((await phone.look(link)).families.length, 1)
  await rejects(phone.look(huge), isProblem('full'))
})

test('one card of a school opens several families', async () => {
  const relay = new TestRelay()
  const one = await relay.enrol(5n, ['parent', 'child'], [[1], [2]])
  const two = await relay.enrol(9n, ['parent', 'child'], [[1], [2]])
  const school = new InviteSecret()
  const [a, b] = [one.links[1], two.links[1]].map(link => fromBase64Url((link ?? '').split('#')[1] ?? ''))
  const blob = await school.seal(encode([2, [a ?? null, b ?? null]]))
  one.family.cards.push({ invite: 1, codeHash: await sha256(await school.code()), blob })

  const phone = await new TestPhone(relay).join(school.link(ORIGIN, 5n))
  await phone.until(() => phone.phone.view().families.every(({ members }) => members.length === 2))

  const served = ({ members }: FamilyView) => members.filter(({ isServed }) => isServed).map(({ id }) => id)
  deepEqual(phone.phone.view().families.map(family => [family.id, served(family)]), [['5', [2]], ['9', [2]]])
  await end(phone)
})

test('a family that comes during a round is heard right after it', async () => {
  const relay = new TestRelay()
  const one = await relay.enrol(5n, ['parent', 'child'], [[1], [2]])
  const two = await relay.enrol(9n, ['parent', 'child'], [[1], [2]])
  const phone = await new TestPhone(relay).join(one.links[1] ?? '')
  await phone.until(() => phone.family().members.length === 2 && phone.phone.view().line === 'live')
  let answer = () => {}
  relay.holdsAnswer = new Promise(resolve => (answer = resolve))
  phone.phone.tryNow()
  while (relay.holdsAnswer !== null) await new Promise(resolve => setTimeout(resolve))

  await phone.phone.join(await phone.phone.look(two.links[1] ?? ''))
  answer()

  await phone.until(() => phone.phone.view().families.every(({ members }) => members.length === 2))
  same(phone.phone.view().families.length, 2)
  await end(phone)
})

test('a log in which another link lets this phone in is not its family\'s', async () => {
  const { house } = await hands()
  await house.engine.change(step => step.set({ joinHash: new Uint8Array(32) }))
  await house.engine.change(step => {
    for (const key of [...step.tables.link.keys()]) step.put('link', key, undefined)
    step.follow(Roster.EMPTY, [])
    step.set({ cursor: null, logEpoch: 0 })
  })

  await house.sync()

  same(house.view().trouble?.kind, 'unsafe')
  same(house.engine.known.tables.key.size, 0)
})
