// What the screens can do, and the view that they show: the one place where state, engines, line and sounds meet.

import { Families } from './line/families.ts'
import type { Desk, Ready, Seldom } from './line/later.ts'
import { Line } from './line/line.ts'
import type { Count, Net } from './line/net.ts'
import { Sounds } from './line/sounds.ts'
import {
  Problem, type Actions, type FamilyId, type FamilyView, type LineState, type Looked, type Said, type Settings,
  type View,
} from './model.ts'
import { Rung, isFor } from './proto/entry.ts'
import type { MemberId, Millis, Ref } from './proto/id.ts'
import { decodeText, type Text, type Voice } from './proto/text.ts'
import { served, type Known, type Step } from './state/known.ts'
import { NotOwner, StoreFull, type Store } from './state/store.ts'
import { dayOf, familyView } from './state/view.ts'
import { newRef, post, report } from './sync/draft.ts'
import type { Engine } from './sync/engine.ts'
import type { Connection } from './voice/fetch.ts'
import { sealRecorded } from './voice/queue.ts'

/** So long a person waits for the relay's answer to a change of the family, in ms. */
const ANSWER_MS = 30_000

/** What is counted is written down so often at most, in ms. */
const COUNTED_MS = 30_000

const SETTINGS: Settings = {
  language: null, textSize: 1, quiet: null, capMb: null, fetchAhead: 'wifi', speak: true,
}

type Later = typeof import('./line/later.ts')

let loading: Promise<Later> | null = null

/** What is not needed for the first letter. Throws `Problem` where the line is gone; another time it is loaded. */
function later(): Promise<Later> {
  loading ??= import('./line/later.ts').catch(() => {
    loading = null
    throw new Problem('offline')
  })
  return loading
}

export interface PhoneParts {
  readonly store: Store
  readonly net: (count: Count) => Net
  /** Scheme, host and perhaps port of the relay. */
  readonly origin: string
  readonly now: () => Millis
  readonly isHidden: () => boolean
  /** What the browser tells of the line. */
  readonly connection: () => Connection | undefined
  readonly onJoined: () => void
  /** Another tab is at work. */
  readonly onLost: () => void
  readonly takeOver: () => void
}

export class Phone implements Actions {
  readonly #parts: PhoneParts
  readonly #net: Net
  readonly #desk: Desk
  readonly #sounds: Sounds
  #later: Later | null = null
  readonly #listeners = new Set<() => void>()
  readonly #families: Families
  #line: Line | null = null
  #lineState: LineState = 'connecting'
  #settings = SETTINGS
  #used: View['used']
  #view: View | null = null
  #isTelling = false
  #counting: ReturnType<typeof setTimeout> | null = null
  /** By family, and what it was reckoned from. */
  readonly #views = new Map<Engine, { readonly known: Known, readonly isFull: boolean, readonly view: FamilyView }>()

  constructor(parts: PhoneParts) {
    this.#parts = parts
    this.#net = parts.net((up, down) => this.#count(up, down))
    this.#families = new Families({
      store: parts.store,
      net: this.#net,
      origin: parts.origin,
      now: parts.now,
      onChange: () => {
        this.#changed(false)
        this.#fetchAhead()
      },
      onJoined: () => this.#line?.tryNow(),
      onFault: error => this.#onFault(error),
    })
    this.#sounds = new Sounds({
      origin: parts.origin,
      count: (up, down) => this.#count(up, down),
      now: parts.now,
      onChange: () => this.#changed(true),
      onDone: () => this.#line?.knock(),
    })
    this.#desk = {
      origin: parts.origin,
      net: this.#net,
      now: parts.now,
      find: family => this.#families.find(family),
      say: (family, work) => this.#say(family, work),
      ready: (family, said) => this.#ready(family, said),
      keep,
      voice: (engine, ref) => this.#voice(engine, ref),
      way: engine => this.#sounds.way(engine),
      isOffline: () => this.#lineState === 'offline' || this.#lineState === 'closed',
      knock: () => this.#line?.knock(),
      until: isDone => this.#until(isDone),
      written: writing => this.#families.written(writing),
    }
    this.#used = { month: dayOf(parts.now()).slice(0, 7), up: 0, down: 0 }
  }

  /** Takes up what the disk has, and stays in touch with the relay. */
  async open(): Promise<void> {
    const { store, now, isHidden } = this.#parts
    this.#line?.stop()
    const dump = await store.load()
    const meta = dump.get('meta')
    this.#settings = { ...SETTINGS, ...(meta?.get('settings') as Settings | undefined) }
    this.#used = (meta?.get('used') as View['used'] | undefined) ?? this.#used
    this.#line = new Line({
      engines: () => this.#families.joined,
      net: this.#net,
      now,
      isHidden,
      onState: state => this.#onState(state),
      onFault: error => this.#onFault(error),
    })
    this.#families.load(dump)
    void this.#line.run()
    this.#changed(true)
  }

  /** Stops: what is being written is finished. */
  async leave(): Promise<void> {
    this.#line?.stop()
    this.#line = null
    this.#onState('closed')
    clearTimeout(this.#counting ?? undefined)
    await Promise.all(this.#families.all.map(engine => engine.change(() => {}).catch(() => {})))
  }

  /** Somebody looks again, or the network is back. */
  wake(): void {
    this.#families.retry()
    this.#line?.knock(true)
    this.#carry()
  }

  /** The network is gone. */
  lost(): void {
    this.#line?.lost()
  }

  view(): View {
    this.#view ??= {
      families: this.#families.joined.map(engine => this.#familyView(engine)),
      line: this.#lineState,
      clock: this.#families.joined[0]?.relayTime(0) ?? 0,
      settings: this.#settings,
      used: this.#used,
    }
    return this.#view
  }

  /** Gives what ends it. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  // -- joining

  look(link: string): Promise<Looked> {
    return this.#families.look(link)
  }

  async join(looked: Looked): Promise<void> {
    await this.#families.join(looked)
    this.#parts.onJoined()
  }

  // -- letters

  async send(family: FamilyId, from: MemberId, to: readonly MemberId[], said: Said): Promise<Ref> {
    const now = this.#parts.now()
    const [ready] = await this.#ready(family, [said])
    if (ready === undefined) throw new Problem('refused')
    return this.#say(family, step => {
      keep(step, ready)
      return post(step, { from, to }, ready.text, null, now)
    })
  }

  async report(
    family: FamilyId,
    ref: Ref,
    member: MemberId,
    rung: 'opened' | 'played' | 'shown' | 'done',
    share?: number,
  ): Promise<void> {
    await this.#say(family, step => {
      const message = step.tables.message.get(ref)?.message
      if (message === undefined || !isFor(message, member) || !served(step).includes(member)) return
      const played = rung === 'played' ? Math.min(100, Math.round(share ?? 0)) : null
      report(step, { of: ref, to: message.from, member }, Rung[rung], played, this.#parts.now())
    })
  }

  // -- voice

  async sound(family: FamilyId, ref: Ref): Promise<Blob> {
    const engine = this.#families.find(family)
    return this.#sounds.fetch(engine, this.#voice(engine, ref))
  }

  // -- what is done seldom

  readonly schedule = this.#seldom('schedule')
  readonly addToBank = this.#seldom('addToBank')
  readonly changeSchedule = this.#seldom('changeSchedule')
  readonly link = this.#seldom('link')
  readonly preview = this.#seldom('preview')
  readonly invite = this.#seldom('invite')
  readonly remove = this.#seldom('remove')
  readonly close = this.#seldom('close')
  readonly name = this.#seldom('name')
  readonly intend = this.#seldom('intend')
  readonly withdraw = this.#seldom('withdraw')
  readonly askForHelp = this.#seldom('askForHelp')
  readonly seen = this.#seldom('seen')
  readonly putAway = this.#seldom('putAway')
  readonly setPicture = this.#seldom('setPicture')
  readonly setPin = this.#seldom('setPin')
  readonly checkPin = this.#seldom('checkPin')

  #seldom<Name extends Seldom>(name: Name): Actions[Name] {
    const act = async (...given: unknown[]): Promise<unknown> => {
      const { ACTS } = await later()
      return (ACTS[name] as (desk: Desk, ...given: unknown[]) => unknown)(this.#desk, ...given)
    }
    return act as Actions[Name]
  }

  // -- this phone

  async set(settings: Partial<Settings>): Promise<void> {
    this.#settings = { ...this.#settings, ...settings }
    this.#changed(true)
    await this.#families.written(this.#parts.store.commit([{ store: 'meta', key: 'settings', value: this.#settings }]))
  }

  // Given away as they are, so they keep whose they are.
  readonly tryNow = (): void => {
    this.#families.retry()
    this.#line?.tryNow()
    this.#carry()
  }

  readonly takeOver = (): void => this.#parts.takeOver()

  // -- within

  /** One step of what a person said: kept in memory where the phone is full, and sent as soon as it can be. */
  async #say<T>(family: FamilyId, work: (step: Step, engine: Engine) => T | Promise<T>): Promise<T> {
    const engine = this.#families.find(family)
    const result = await this.#families.written(engine.change(step => work(step, engine), true))
    this.#line?.knock()
    this.#carry()
    return result
  }

  /** Waits for something that the relay brings about, as long as a person waits. */
  #until(isDone: () => boolean): Promise<void> {
    if (isDone()) return Promise.resolve()
    return new Promise(resolve => {
      const end = () => {
        clearTimeout(timer)
        stop()
        resolve()
      }
      const timer = setTimeout(end, ANSWER_MS)
      const stop = this.subscribe(() => isDone() && end())
    })
  }

  /** What is said, as texts that never change; sounds sealed. */
  async #ready(family: FamilyId, said: readonly Said[]): Promise<Ready[]> {
    const writtenAt = this.#families.find(family).relayTime(this.#parts.now())
    return Promise.all(said.map(async (one): Promise<Ready> => {
      if (one.kind === 'text') return { text: { kind: 1, writtenAt, text: one.text }, sound: null }
      if (one.kind === 'picture') return { text: { kind: 3, writtenAt, picture: one.picture }, sound: null }
      const { voice, stored } = await sealRecorded(one.recorded, newRef())
      return { text: { kind: 2, writtenAt, voice }, sound: stored }
    }))
  }

  #voice({ known }: Engine, ref: Ref): Voice {
    const { message, outbox } = known.tables
    const frame = outbox.get(ref)?.frame
    const unsent = frame?.type === 'post' || frame?.type === 'hold' ? decodeText(frame.kind, frame.sealed) : null
    const text = message.get(ref)?.text ?? unsent ?? givenText(known, ref)
    if (text?.kind !== 2) throw new Problem('gone')
    return text.voice
  }

  #carry(): void {
    if (this.#line === null) return
    void this.#sounds.carry(this.#families.joined).catch((error: unknown) => this.#onFault(error))
  }

  /** New voice notes come by themselves where that was chosen, and costs nothing or not too much. */
  #fetchAhead(): void {
    if (this.#lineState !== 'live') return
    this.#sounds.ahead(this.#families.joined, this.#settings, () => this.#used, this.#parts.connection())
  }

  #onState(state: LineState): void {
    this.#lineState = state
    if (state === 'live') this.#carry()
    if (state !== 'connecting') void this.#loadLater().catch(() => {})
    this.#changed(true)
  }

  #onFault(error: unknown): void {
    if (error instanceof NotOwner) {
      this.#parts.onLost()
      void this.leave()
    } else if (!(error instanceof StoreFull) && !(error instanceof Problem)) console.error(error)
  }

  #familyView(engine: Engine): FamilyView {
    const { known, isFull } = engine
    const before = this.#views.get(engine)
    if (before?.known === known && before.isFull === isFull) return before.view
    const now = engine.relayTime(this.#parts.now())
    const { moving, gone } = this.#sounds
    const view = familyView(known, { now, isFull, moving, gone }, this.#later?.restOf)
    this.#views.set(engine, { known, isFull, view })
    return view
  }

  /** What is not needed for letters comes behind them, and is shown then. */
  async #loadLater(): Promise<void> {
    if (this.#later !== null) return
    this.#later = await later()
    this.#changed(true)
  }

  /** Tells the screens, once for all that changes together. */
  #changed(isAll: boolean): void {
    if (isAll) this.#views.clear()
    if (!this.#isTelling) setTimeout(() => this.#tell())
    this.#isTelling = true
    this.#view = null
  }

  #tell(): void {
    this.#isTelling = false
    for (const listener of [...this.#listeners]) listener()
  }

  #count(up: number, down: number): void {
    const month = dayOf(this.#parts.now()).slice(0, 7)
    const before = this.#used.month === month ? this.#used : { month, up: 0, down: 0 }
    this.#used = { month, up: before.up + up, down: before.down + down }
    this.#view = null
    if (this.#counting !== null) return
    this.#counting = setTimeout(() => {
      this.#counting = null
      const write = { store: 'meta', key: 'used', value: this.#used }
      void this.#parts.store.commit([write]).catch((error: unknown) => this.#onFault(error))
    }, COUNTED_MS)
  }
}

function keep(step: Step, { text, sound }: Ready): void {
  if (text.kind !== 2 || sound === null) return
  const { blob, hash } = text.voice
  step.store(blob, sound)
  step.put('sound', blob, { hash, isBegun: false, isDone: false })
}

function givenText({ tables }: Known, ref: Ref): Text | null {
  const all = [...tables.given.values()].flat()
  return all.find(({ message: { fired } }) => fired?.bodyRef === ref)?.text ?? null
}
