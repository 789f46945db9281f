// What one phone reads, keeps and sends, against a relay in memory, with real seals.

import { deepEqual, equal as same, ok, rejects } from 'node:assert/strict'
import { test } from 'node:test'

import { fromHex, toHex } from '../src/bytes.ts'
import { encode } from '../src/codec.ts'
import { Offline } from '../src/line/net.ts'
import { NotOwner, StoreFull } from '../src/state/store.ts'
import { queue } from '../src/state/outbox.ts'
import { newRef, report } from '../src/sync/draft.ts'
import { hold } from '../src/sync/planning.ts'
import { set } from './blobs.ts'
import { MAMA, NAINAI, LILI, TestPhone, home, end, hands, turn, isProblem, posts, refOf } from './phone.ts'
import { NOON, ORIGIN, TestRelay, type TestFamily } from './relay.ts'
import { MemoryStore } from './store.ts'

test('two phones join, and letters go both ways', async () => {
  const { mama, house } = await home()

  const ref = await mama.phone.send('5', MAMA, [], { kind: 'text', text: '吃饭了吗' })
  await house.until(() => house.texts().includes('吃饭了吗'))
  deepEqual(house.letter('吃饭了吗').newFor, [NAINAI, LILI])
  await house.phone.report('5', ref, LILI, 'opened')
  await house.phone.send('5', LILI, [MAMA], { kind: 'text', text: '吃了' })
  await mama.until(() => mama.texts().includes('吃了') && mama.letter('吃饭了吗').reached.get(LILI)?.rung === 2)

  deepEqual(house.letter('吃饭了吗').newFor, [NAINAI])
  same(mama.letter('吃饭了吗').isOwn, true)
  deepEqual(mama.family().members.map(({ name }) => name), ['parent 1', 'caregiver 2', 'child 3'])
  deepEqual(house.family().members.map(({ zone }) => zone), Array(3).fill('Asia/Shanghai'))
  await end(mama, house)
})

test('a letter that meets another key is sealed again, under the same name', async () => {
  const { family, mama, house } = await hands()

  const ref = await house.say('sealed twice')
  await turn(mama)
  await house.sync()
  await mama.sync()

  deepEqual(posts(family).map(({ body }) => [refOf(body), body[3]]), [[ref, 4]])
  const sent = family.commands.filter(({ kind }) => kind === 2)
  deepEqual(sent.map(({ body }) => [toHex(body[1] as Uint8Array), body[2]]), [[ref, 3], [ref, 4]])
  deepEqual(mama.texts(), ['sealed twice'])
})

test('counters are given anew where the relay has used others', async () => {
  const { family, mama } = await hands()
  family.lastN.set(1, 40)

  await mama.say('one')
  await mama.say('two')
  const again = await mama.again()
  await again.sync()

  deepEqual(posts(family).length, 2)
  same(family.lastN.get(1), 42)
  same(again.view().waiting, 0)
})

test('what a relay forgot is said again, once each and in order', async () => {
  const { family, mama, house } = await hands()
  const backup = family.copy()
  await mama.say('one')
  await mama.say('two')
  await mama.sync()
  family.restore(backup)

  await mama.sync()
  await house.sync()

  deepEqual(house.texts(), ['one', 'two'])
  deepEqual(mama.texts(), ['one', 'two'])
})

test('a process that ends between writing and sending sends the same the next time, once', async () => {
  const { family, relay, mama, house } = await hands()
  await mama.say('cut off')
  const [first] = await mama.engine.commands(NOON)

  relay.losesAnswer = true
  const second = await mama.again()
  await rejects(second.sync(), Offline)
  const third = await second.again()
  await third.sync()
  await house.sync()

  const posted = family.commands.filter(({ kind }) => kind === 2)
  const sent = posted.map(({ body }) => [body[0], toHex(body[1] as Uint8Array)])
  ok(first?.type === 'post')
  deepEqual(sent, [[first.n, first.ref], [first.n, first.ref]])
  deepEqual(house.texts(), ['cut off'])
  same(third.view().waiting, 0)
})

test('what is expired is told, and shows nothing', async () => {
  const { family, house } = await hands()
  family.push(24, [MAMA, fromHex('aa'.repeat(12)), [], NOON - 1, null])

  await house.sync()

  deepEqual(house.view().letters.map(({ fault, text }) => [fault, text]), [['expired', '']])
})

test('a notice that a letter expired hides none that is here', async () => {
  const { family, mama, house } = await hands()
  const ref = await mama.say('came in time')
  await mama.sync()
  await house.sync()
  for (const author of [MAMA, NAINAI]) family.push(23, [author, 2, null, null, null, fromHex(ref), [], null])

  await mama.sync()
  await house.sync()

  deepEqual([mama, house].map(hand => hand.view().letters.map(({ fault, text }) => [fault, text])), [
    [['expired', 'came in time']], [[null, 'came in time']],
  ])
})

test('a letter under another key, of another phone or with another seal is a fault, and never shown', async () => {
  const { family, mama, house } = await hands()
  await mama.say('true')
  await mama.sync()
  const [entry] = posts(family)
  const [device, from, , epoch, to, sealed] = entry?.body ?? []
  const lie = (at: number, fields: readonly (number | Uint8Array)[]) =>
    [device ?? 0, from ?? 0, fromHex(`${at}${at}`.repeat(12)), epoch ?? 0, to ?? [], sealed ?? 0]
      .map((field, at) => fields[at] ?? field)
  family.push(1, lie(1, []))
  family.push(1, lie(2, [1, NAINAI]))
  family.push(1, lie(3, [1, MAMA, fromHex('33'.repeat(12)), 2]))
  family.push(1, [...lie(4, []).slice(0, 4), [3, 2], sealed ?? 0])
  family.push(18, ['no receipt'])

  await house.sync()

  deepEqual(house.texts(), ['true'])
  deepEqual(house.view().letters.map(({ fault }) => fault), [null, 'unopened', 'unsafe', 'unsafe'])
  deepEqual(house.view().letters.slice(1).map(({ newFor, text }) => [newFor, text]), Array(3).fill([[], '']))
})

test('a text of a newer version is kept for a newer page', async () => {
  const { mama, house } = await hands()
  const frame = { type: 'post', n: 0, ref: newRef(), epoch: 0, from: MAMA, to: [], kind: 1 } as const
  const sealed = encode([2, NOON, 'how it is said then'])
  await mama.engine.change(step => queue(step, { ...frame, sealed, key: null, until: null, blob: null }, null, NOON))

  await mama.sync().catch(() => {})
  await house.sync()

  const row = house.engine.known.tables.message.get(frame.ref)
  deepEqual([row?.refused, row?.text], [null, null])
  ok((row?.message.sealed.length ?? 0) > 0)
})

test('an occurrence shows once, where it follows from its schedule', async () => {
  const { family, mama, house } = await hands()
  const rule = { start: '2027-01-17T19:30:00', zone: 'Asia/Shanghai', rrule: null, also: [], except: [] }
  const text = { kind: 1, writtenAt: NOON, text: 'on Sunday' } as const
  const id = newRef()
  const parties = { from: MAMA, to: [LILI] }
  const rest = { rule, state: 1, schedule: null, bank: true, seen: null }
  const plan = { type: 'plan', n: 0, ref: id, ...parties, ...rest } as const
  const body = await mama.engine.change(step => hold(step, parties, id, text, null, null, NOON))
  await mama.engine.change(step => queue(step, plan, id, NOON))
  const [coming] = mama.view().schedules
  deepEqual([coming?.state, coming?.held.map(({ text }) => text)], ['waits', ['on Sunday']])
  await mama.sync()
  await house.sync()
  deepEqual(house.view().schedules.map(({ state }) => state), ['active'])

  await family.fire(body, id, '2027-01-17T19:30:00')
  await family.fire(body, id, '2027-01-17T19:31:00', 9)
  const other = await family.fire(body, id, '2027-02-17T19:30:00')
  await house.sync()
  await mama.sync()

  deepEqual(house.texts(), ['on Sunday'])
  deepEqual(house.view().letters.map(({ planned, zone, fault }) => [planned, zone, fault]), [
    ['2027-01-17T19:30:00', 'Asia/Shanghai', null], ['2027-02-17T19:30:00', 'Asia/Shanghai', 'unsafe'],
  ])
  deepEqual(house.view().letters[1]?.ref, other)
  deepEqual(mama.view().schedules.map(({ held }) => held), [[]])
})

test('which letter of a bank came first is not the relay\'s to say', async () => {
  const { family, mama, house } = await hands()
  const rule = { start: '2027-01-10T19:30:00', zone: 'Asia/Shanghai', rrule: 'FREQ=WEEKLY', also: [], except: [] }
  const text = { kind: 1, writtenAt: NOON, text: 'of the bank' } as const
  const [id, parties] = [newRef(), { from: MAMA, to: [LILI] }]
  const rest = { rule, state: 1, schedule: null, bank: true, seen: null }
  const plan = { type: 'plan', n: 0, ref: id, ...parties, ...rest } as const
  const body = await mama.engine.change(step => hold(step, parties, id, text, null, null, NOON))
  await mama.engine.change(step => queue(step, plan, id, NOON))
  await mama.sync()
  const backup = family.copy()
  const first = await family.fire(body, id, '2027-01-10T19:30:00')
  await house.sync()

  // The relay goes back, and says that another came before it.
  family.restore(backup)
  await family.fire(body, id, '2027-01-17T19:30:00')
  await family.fire(body, id, '2027-01-10T19:30:00')
  await house.sync()

  deepEqual(house.view().letters.map(({ ref, fault }) => [ref, fault]), [[first, null]])
})

test('a letter of a bank that was released is not written anew, the one that waits is', async () => {
  const { relay, family, mama, house } = await home()
  const { link } = await mama.phone.invite('5', [MAMA], null, 72)
  const second = await new TestPhone(relay).join(link)
  await second.until(() => second.family().phones.length === 3)
  const rule = { start: '2027-01-10T19:30', zone: 'Asia/Shanghai', rrule: 'FREQ=WEEKLY', toleranceMinutes: null }
  const said = ['one', 'two'].map(text => ({ kind: 'text', text } as const))
  const id = await second.phone.schedule('5', MAMA, [], rule, said, true, null)
  await second.until(() => second.family().waiting === 0)
  family.givenBack = [...family.held.keys()].map(body => family.heldOf(body, id))
  const [body] = family.held.keys()
  await family.fire(body ?? '', id, '2027-01-10T19:30:00')
  await relay.wake()
  await mama.until(() => mama.texts().includes('one'))
  family.commands = []

  await mama.phone.remove('5', 3)
  const holds = () => family.commands.filter(({ device, kind }) => device === 1 && kind === 5)
  await mama.until(() => holds().length > 0 && mama.family().waiting === 0)

  same(holds().length, 1)
  await end(mama, house, second)
})

test('a full phone keeps what was said in memory, and writes it once there is room', async () => {
  const { relay, store, phone } = await home().then(async ({ relay, mama, house }) => {
    await end(house)
    return { relay, store: mama.store, phone: mama }
  })
  store.fault = new StoreFull('no room')

  await phone.phone.send('5', MAMA, [], { kind: 'text', text: 'kept' })
  same(phone.family().trouble?.kind, 'full')
  deepEqual(phone.letter('kept').at, null)
  store.fault = null
  phone.phone.tryNow()
  await phone.until(() => phone.family().waiting === 0)

  same(phone.family().trouble, null)
  deepEqual(posts(relay.families.get('5') as TestFamily).length, 1)
  await end(phone)
})

test('a tab that is no longer the owner stops, and sends nothing', async () => {
  const { family, mama, house } = await home()
  const before = family.commands.length
  mama.store.fault = new NotOwner('another')

  await rejects(mama.phone.send('5', MAMA, [], { kind: 'text', text: 'twice?' }), isProblem('closed'))

  same(mama.phone.view().line, 'closed')
  same(family.commands.length, before)
  await end(house)
})

test('a phone that believes it is 1970, or 2099, says and hears everything', async () => {
  for (const now of [0, 4_070_908_800_000]) {
    const relay = new TestRelay()
    const { family, links } = await relay.enrol(5n, ['parent', 'child'], [[1], [2]])
    const phone = await new TestPhone(relay, new MemoryStore(), () => now).join(links[0] ?? '')
    await phone.until(() => phone.family().waiting === 0)
    family.refusals.push(n => [11, 'slow down', n, 1])

    await phone.phone.send('5', 1, [], { kind: 'text', text: 'when?' })
    await phone.until(() => phone.family().trouble?.kind === 'waits')
    phone.phone.tryNow()
    const { link } = await phone.phone.invite('5', [2], null, 72)

    ok(link.startsWith(ORIGIN))
    same(family.roster.invites.get(3)?.expiresAt, NOON + 72 * 3_600_000)
    await end(phone)
  }
})

test('a receipt is sent once, and a lower one is none', async () => {
  const { family, mama, house } = await hands()
  const ref = await mama.say('read me')
  await mama.sync()
  await house.sync()
  const what = { of: ref, to: MAMA, member: LILI }
  const tell = (rung: number) => house.engine.change(step => report(step, what, rung, null, NOON))

  await tell(4)
  await tell(4)
  await tell(2)
  await house.sync()
  await mama.sync()

  same(family.commands.filter(({ kind }) => kind === 4).length, 1)
  deepEqual(mama.view().letters[0]?.reached.get(LILI)?.rung, 4)
})

test('a voice note waits for its bytes, and what follows overtakes it', async () => {
  const { family, mama, house } = await home()
  await end(house)
  const recorded = { blob: new Blob([new Uint8Array(40_000).fill(7)]), duration: 5000, mediaType: 'audio/ogg' }
  const { fetch } = globalThis
  const { relay: sounds, way } = await set()
  let isUp = false
  globalThis.fetch = async (to, init) => {
    if (!isUp) throw new TypeError('no line')
    return fetch(`${to}`.replace(ORIGIN, way.origin), init)
  }

  try {
    const ref = await mama.phone.send('5', MAMA, [], { kind: 'voice', recorded })
    await mama.phone.send('5', MAMA, [], { kind: 'text', text: 'overtakes' })
    await mama.until(() => mama.family().waiting === 1)
    same((await mama.phone.sound('5', ref)).size, 40_000)
    isUp = true
    mama.phone.wake()
    await mama.until(() => mama.family().waiting === 0)
  } finally {
    globalThis.fetch = fetch
  }

  deepEqual(family.log.filter(({ kind }) => kind < 5).map(({ kind }) => kind), [1, 2])
  deepEqual([...sounds.stored.values()].map(it => [it.isWhole, it.bytes.length]), [[true, 40_048]])
  same(mama.family().letters.at(-1)?.voice?.state, 'here')
  same([...(mama.store.rows.get('sound')?.values() ?? [])].length, 1)
  await end(mama)
})

test('where no socket can be had letters go by rounds', async () => {
  const relay = new TestRelay()
  relay.hasSockets = false
  const { family, links } = await relay.enrol(5n, ['parent', 'child'], [[1], [2]])
  const phone = await new TestPhone(relay).join(links[0] ?? '')

  await phone.until(() => phone.phone.view().families.length === 1)
  await phone.phone.send('5', 1, [], { kind: 'text', text: 'by a round' })
  await phone.until(() => phone.family().waiting === 0)

  same(posts(family).length, 1)
  await end(phone)
})

test('what is previewed, asked and taken back goes as it was said', async () => {
  const { family, mama, house } = await home()
  await end(house)
  const rule = { start: '2027-01-17T19:30', zone: 'Asia/Shanghai', rrule: null, toleranceMinutes: null }

  const [occurrence] = await mama.phone.preview('5', rule, ['Asia/Shanghai'], 1)
  await mama.phone.askForHelp('5', MAMA)
  await mama.phone.withdraw('5', MAMA, [LILI], 'counting')
  await mama.until(() => mama.family().waiting === 0)

  const clocks = [{ zone: 'Asia/Shanghai', local: '2027-01-17T19:30:00+08:00', shifts: true }]
  deepEqual(occurrence, { at: NOON, adjust: 'gap', clocks })
  const [help, withdraw] = family.commands.slice(-2)
  deepEqual([help?.kind, help?.body.slice(2)], [38, [MAMA]])
  deepEqual([withdraw?.kind, withdraw?.body.slice(2, 5)], [37, [MAMA, [LILI], 2]])
  await end(mama)
})

test('what a person sees of plans, pictures and PINs', async () => {
  const { mama, house } = await home()
  const rrule = 'FREQ=WEEKLY;BYDAY=SU'
  const rules = [{ start: '2027-01-17T19:30', zone: 'Asia/Shanghai', rrule, toleranceMinutes: 60 }]

  await mama.phone.intend('5', MAMA, rules)
  await house.until(() => house.family().plan !== null)
  await house.phone.setPicture('5', LILI, 4)
  await house.phone.setPin('5', LILI, [1, 2, 3])

  deepEqual(house.family().plan?.rules, rules)
  deepEqual(house.family().members[2]?.face, { picture: 4, hasPin: true })
  const opens = (pin: readonly number[]) => house.phone.checkPin('5', LILI, pin)
  deepEqual([await opens([1, 2, 3]), await opens([3, 2, 1])], [true, false])
  await house.phone.setPin('5', LILI, null)
  same(await house.phone.checkPin('5', LILI, []), true)
  await rejects(house.phone.look('https://relay.example/join#nonsense'), isProblem('badLink'))
  await end(mama, house)
})
