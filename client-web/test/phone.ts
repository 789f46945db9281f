// Phones against a relay in memory, with real seals.

import { Phone } from '../src/actions.ts'
import { toHex } from '../src/bytes.ts'
import { sync } from '../src/line/round.ts'
import type { FamilyView, LetterView, Problem } from '../src/model.ts'
import type { Ref } from '../src/proto/id.ts'
import { loadAll, laneOf } from '../src/state/known.ts'
import { restOf } from '../src/state/rest.ts'
import { familyView } from '../src/state/view.ts'
import { newLink, queueTurn } from '../src/sync/closing.ts'
import { post } from '../src/sync/draft.ts'
import { Engine } from '../src/sync/engine.ts'
import { MemoryStore } from './store.ts'
import { NOON, ORIGIN, TestRelay, type TestFamily } from './relay.ts'

export const [MAMA, NAINAI, LILI] = [1, 2, 3]

/** A phone with its store; `close` ends it as a tab is closed. */
export class TestPhone {
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
export async function home(): Promise<{ relay: TestRelay, family: TestFamily, mama: TestPhone, house: TestPhone }> {
  const relay = new TestRelay()
  const { family, links } = await relay.enrol(5n, ['parent', 'caregiver', 'child'], [[MAMA], [NAINAI, LILI]])
  const mama = await new TestPhone(relay).join(links[0] ?? '')
  const house = await new TestPhone(relay).join(links[1] ?? '')
  await mama.until(() => mama.family().waiting === 0 && mama.family().phones.length === 2)
  await house.until(() => house.family().members.every(({ name }) => name !== ''))
  return { relay, family, mama, house }
}

export async function end(...phones: TestPhone[]): Promise<void> {
  for (const { phone } of phones) await phone.leave()
}

/** Without a line of its own: a round is a step of the test. */
export class Hand {
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
export async function hands(): Promise<{ relay: TestRelay, family: TestFamily, mama: Hand, house: Hand }> {
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
export async function turn(mama: Hand): Promise<void> {
  await mama.engine.change(async step => queueTurn(step, await newLink(step, []), [], NOON))
  await mama.sync()
}

export const isProblem = (word: Problem['word']) => (error: Problem) => error.word === word
export const posts = (family: TestFamily) => family.log.filter(({ kind }) => kind === 1)
export const refOf = (body: readonly unknown[]) => toHex(body[2] as Uint8Array)
