// The engine of the phone's page against a relay in memory, with real seals.

import { deepEqual, equal as same, notDeepEqual, ok, rejects } from 'node:assert/strict'
import { test } from 'node:test'

import { Phone } from '../src/actions.ts'
import { fromBase64Url, fromHex, toHex } from '../src/bytes.ts'
import { encode } from '../src/codec.ts'
import { Offline } from '../src/line/net.ts'
import { sync } from '../src/line/round.ts'
import type { FamilyView, LetterView, Looked, Problem } from '../src/model.ts'
import type { Ref } from '../src/proto/id.ts'
import { sha256 } from '../src/roster/digest.ts'
import { Roster } from '../src/roster/roster.ts'
import { InviteSecret, writeInvite } from '../src/seal/invite.ts'
import { generateKeyPairs } from '../src/seal/keys.ts'
import { writeLink } from '../src/seal/write.ts'
import { loadAll, keyInForce, laneOf } from '../src/state/known.ts'
import { NotOwner, StoreFull } from '../src/state/store.ts'
import { queue } from '../src/state/outbox.ts'
import { restOf } from '../src/state/rest.ts'
import { familyView } from '../src/state/view.ts'
import { newLink, queueTurn } from '../src/sync/closing.ts'
import { newRef, post, report } from '../src/sync/draft.ts'
import { Engine } from '../src/sync/engine.ts'
import { hold } from '../src/sync/planning.ts'
import { MemoryStore } from './store.ts'
import { NOON, ORIGIN, TestRelay, type TestFamily } from './relay.ts'

const [MAMA, NAINAI, LILI] = [1, 2, 3]

/** A phone with its store; `close` ends it as a tab is closed. */
class TestPhone {
  readonly store: MemoryStore
  readonly phone: Phone

  constructor(relay: TestRelay, store = new MemoryStore(), now = () => NOON) {
    this.store = store
    this.phone = new Phone({
      store,
      net: () => relay,
      origin: ORIGIN,
      now,
      isHidden: () => false,
      connection: () => undefined,
      onJoined: () => {},
      onLost: () => {},
      takeOver: () => {},
    })
  }

  async join(link: string): Promise<this> {
    await this.phone.open()
    await this.phone.join(await this.phone.look(link))
    return this
  }

  family(at = 0): FamilyView {
    const family = this.phone.view().families[at]
    if (family === undefined) throw new Error('no family')
    return family
  }

  texts(at = 0): string[] {
    return this.family(at).letters.filter(letter => letter.fault === null).map(({ text }) => text)
  }

  letter(text: string): LetterView {
    const letter = this.family().letters.find(letter => letter.text === text)
    if (letter === undefined) throw new Error(`no ${text}`)
    return letter
  }

  /** Waits until it is so. */
  async until(isSo: () => boolean): Promise<void> {
    if (isSo()) return
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`not so: ${isSo}`)), 8000)
      const stop = this.phone.subscribe(() => {
        if (!isSo()) return
        clearTimeout(timer)
        stop()
        resolve()
      })
    })
  }
}

/** The mother's phone, and one that grandmother and child share. */
async function home(): Promise<{ relay: TestRelay, family: TestFamily, mama: TestPhone, house: TestPhone }> {
  const relay = new TestRelay()
  const { family, links } = await relay.enrol(5n, ['parent', 'caregiver', 'child'], [[MAMA], [NAINAI, LILI]])
  const mama = await new TestPhone(relay).join(links[0] ?? '')
  const house = await new TestPhone(relay).join(links[1] ?? '')
  await mama.until(() => mama.family().waiting === 0 && mama.family().phones.length === 2)
  await house.until(() => house.family().members.every(({ name }) => name !== ''))
  return { relay, family, mama, house }
}

async function end(...phones: TestPhone[]): Promise<void> {
  for (const { phone } of phones) await phone.leave()
}

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

/** Without a line of its own: a round is a step of the test. */
class Hand {
  constructor(readonly engine: Engine, readonly relay: TestRelay, readonly store: MemoryStore) {}

  sync(): Promise<void> {
    return sync([this.engine], this.relay, () => NOON)
  }

  say(text: string, from = laneOf(this.engine.known).device === 1 ? MAMA : NAINAI): Promise<Ref> {
    return this.engine.change(step => post(step, { from, to: [] }, { kind: 1, writtenAt: NOON, text }, null, NOON))
  }

  /** The next process of this phone. */
  async again(): Promise<Hand> {
    const [known] = loadAll(await this.store.load())
    if (known === undefined) throw new Error('nothing is kept')
    return new Hand(new Engine(this.store, known), this.relay, this.store)
  }

  view(): FamilyView {
    const now = { now: NOON, isFull: this.engine.isFull, moving: new Map(), gone: new Set<Ref>() }
    return familyView(this.engine.known, now, restOf)
  }

  texts(): string[] {
    return this.view().letters.filter(({ fault }) => fault === null).map(({ text }) => text)
  }
}

/** As `home`, without lines. */
async function hands(): Promise<{ relay: TestRelay, family: TestFamily, mama: Hand, house: Hand }> {
  const { relay, family, mama, house } = await home()
  await end(mama, house)
  const [known, others] = [loadAll(await mama.store.load())[0], loadAll(await house.store.load())[0]]
  if (known === undefined || others === undefined) throw new Error('not joined')
  const hand = (known: typeof others, store: MemoryStore) => new Hand(new Engine(store, known), relay, store)
  const at = { relay, family, mama: hand(known, mama.store), house: hand(others, house.store) }
  await at.mama.sync()
  await at.house.sync()
  family.commands = []
  return at
}

/** A phone more, of the grandmother, by a link of the mother's: the key turns. */
async function turn(mama: Hand): Promise<void> {
  await mama.engine.change(async step => queueTurn(step, await newLink(step, []), [], NOON))
  await mama.sync()
}

const isProblem = (word: Problem['word']) => (error: Problem) => error.word === word
const posts = (family: TestFamily) => family.log.filter(({ kind }) => kind === 1)
const refOf = (body: readonly unknown[]) => toHex(body[2] as Uint8Array)

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

test('a phone comes in by a link, and goes; what is held is sealed again', async () => {
  const { relay, family, mama, house } = await home()
  const { link, invite } = await mama.phone.invite('5', [NAINAI], null, 72)
  deepEqual(mama.family().cards.map(({ invite, isOurs }) => [invite, isOurs]), [[invite, true]])
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
  deepEqual(changes.map(it => [it.what, it.device, it.byDevice]), [['removed', 3, 1], ['joined', 3, null]])
  await mama.phone.send('5', MAMA, [], { kind: 'text', text: 'only for us' })
  await house.until(() => house.texts().includes('only for us'))
  same(third.texts().includes('only for us'), false)
  await end(mama, house, third)
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

test('what the relay asks to be closed is closed first, by a phone that may', async () => {
  const { family, mama, house } = await hands()
  const ask = (n: number) => [19, 'close these first', n, null, null, [[2], []]]

  family.refusals.push(ask)
  await mama.say('after the closing')
  await mama.sync()
  deepEqual([...family.roster.devices.keys()], [1])
  deepEqual(mama.texts(), ['after the closing'])
  const [change] = mama.view().changes
  deepEqual([change?.what, change?.device, change?.byDevice, change?.askedByRelay], ['removed', 2, 1, true])

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
  const asked: string[] = []
  let isUp = false
  globalThis.fetch = async (_, init) => {
    asked.push(init?.method ?? 'GET')
    if (!isUp) throw new TypeError('no line')
    return new Response(null, { status: 201, headers: { 'Upload-Offset': '40048', 'Upload-Complete': '?1' } })
  }

  const ref = await mama.phone.send('5', MAMA, [], { kind: 'voice', recorded })
  await mama.phone.send('5', MAMA, [], { kind: 'text', text: 'overtakes' })
  await mama.until(() => mama.family().waiting === 1)
  const kept = await mama.phone.sound('5', ref)
  isUp = true
  mama.phone.wake()
  await mama.until(() => mama.family().waiting === 0)
  globalThis.fetch = fetch

  same(kept.size, 40_000)
  deepEqual(family.log.filter(({ kind }) => kind < 5).map(({ kind }) => kind), [1, 2])
  deepEqual([asked[0], mama.family().letters.at(-1)?.voice?.state], ['PUT', 'here'])
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

test('a phone that was removed comes in again by a new card, with its old letters', async () => {
  const { relay, mama, house } = await home()
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
  ok(relay.rounds > 0)
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
  const { relay, family, mama, house } = await home()
  await mama.phone.remove('5', 2)
  await house.until(() => house.family().trouble?.kind === 'removed')
  const ref = await house.phone.send('5', NAINAI, [], { kind: 'text', text: 'unsent' })
  const { link } = await mama.phone.invite('5', [NAINAI, LILI], null, 72)

  await house.phone.join(await house.phone.look(link))
  await house.until(() => house.family().waiting === 0 && house.family().phones.length === 2)
  await mama.until(() => mama.texts().includes('unsent'))

  deepEqual(posts(family).map(({ body }) => refOf(body)), [ref])
  deepEqual(house.texts(), ['unsent'])
  ok(relay.rounds > 0)
  await end(mama, house)
})

test('a link by which a phone asks to be let in is told from a used one', async () => {
  const { relay, family, mama, house } = await home()
  const secret = new InviteSecret()
  const link = secret.link(ORIGIN, 5n)
  await rejects(mama.phone.look(link), isProblem('invite'))
  family.tickets.push(await sha256(await secret.code()))

  await rejects(mama.phone.look(link), isProblem('cardOnly'))

  ok(relay.rounds > 0)
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
  const { family, house } = await hands()
  const { keys } = laneOf(house.engine.known)
  await house.engine.change(step => step.set({ joinHash: new Uint8Array(32) }))
  await house.engine.change(step => {
    for (const key of [...step.tables.link.keys()]) step.put('link', key, undefined)
    step.follow(Roster.EMPTY, [])
    step.set({ cursor: null, logEpoch: 0 })
  })

  await house.sync()

  same(house.view().trouble?.kind, 'unsafe')
  same(house.engine.known.tables.key.size, 0)
  ok(family.head > 0 && keys !== null)
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
