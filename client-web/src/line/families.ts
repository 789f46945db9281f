// The families of this phone: an engine for each, and how it comes into another.

import { same } from '../bytes.ts'
import { Problem, type FamilyId, type Looked } from '../model.ts'
import { Refusal } from '../proto/frame.ts'
import type { Millis } from '../proto/id.ts'
import { loadAll, Step, unknown, type Known } from '../state/known.ts'
import { NotOwner, StoreFull, type Dump, type Store } from '../state/store.ts'
import { Engine } from '../sync/engine.ts'
import { prepare, type Checked } from '../sync/join.ts'
import { ask, look, lookAgain, MAX_FAMILIES, problemOf } from './join.ts'
import type { Net } from './net.ts'

/** How often others may be faster with a link. */
const ATTEMPTS = 5

export interface FamiliesParts {
  readonly store: Store
  readonly net: Net
  /** Scheme, host and perhaps port of the relay. */
  readonly origin: string
  readonly now: () => Millis
  readonly onChange: () => void
  /** Another family is there to be connected. */
  readonly onJoined: () => void
  readonly onFault: (error: unknown) => void
}

/** What a link opened, with all that joining needs. */
class Ways implements Looked {
  readonly families: Looked['families']

  constructor(readonly ways: readonly Checked[]) {
    this.families = ways.map(({ card: { names }, pinned, roster, expiresAt }) => ({
      members: pinned.members.map(id => ({ id, role: roster.members.get(id) ?? 'child', name: names.get(id) ?? '' })),
      expiresAt,
    }))
  }
}

/** Whether it is in, and neither over nor stuck at what does not check: a new card is the way out of both. */
function isWell({ lane: { device, ended, broken } }: Engine): boolean {
  return device > 0 && ended === null && broken === null
}

export class Families {
  /** In the order in which this phone came to them; also those that it has not been let into yet. */
  all: readonly Engine[] = []
  readonly #parts: FamiliesParts
  #joining: Promise<unknown> = Promise.resolve()

  constructor(parts: FamiliesParts) {
    this.#parts = parts
  }

  /** What the disk has. */
  load(dump: Dump): void {
    this.all = loadAll(dump).map(known => this.#engineOf(known))
    this.retry()
  }

  /** Sends joins again whose answer was lost. */
  retry(): void {
    void this.#oneByOne(() => this.#letIn(this.all)).catch(() => {})
  }

  /** Those that let this phone in. */
  get joined(): readonly Engine[] {
    return this.all.filter(({ lane }) => lane.device > 0)
  }

  /** Throws `Problem`. */
  find(family: FamilyId): Engine {
    const engine = this.joined.find(({ known }) => known.id === family)
    if (engine === undefined) throw new Problem('gone')
    return engine
  }

  async look(link: string): Promise<Looked> {
    return new Ways(await look(this.#parts.net, this.#parts.origin, link))
  }

  async join(looked: Looked): Promise<void> {
    if (!(looked instanceof Ways)) throw new Problem('badLink')
    return this.#oneByOne(() => this.#join(looked.ways))
  }

  async #join(ways: readonly Checked[]): Promise<void> {
    const ids = new Set([...this.all.map(({ known }) => known.id), ...ways.map(({ scope }) => `${scope}`)])
    if (ids.size > MAX_FAMILIES) throw new Problem('full')
    for (let attempt = 0; attempt < ATTEMPTS && ways.length > 0; attempt++) {
      const engines: Engine[] = []
      for (const way of ways) engines.push(await this.#prepare(way, ways.length > 1))
      const late = await this.#letIn(engines)
      const again = ways.filter(({ scope }) => late.some(({ lane }) => lane.scope === scope))
      ways = await Promise.all(again.map(way => lookAgain(this.#parts.net, way)))
    }
    if (ways.length > 0) throw new Problem('slowDown')
  }

  /** A write of the store; throws the word for why there was none. */
  async written<T>(writing: Promise<T>): Promise<T> {
    try {
      return await writing
    } catch (error) {
      this.#parts.onFault(error)
      if (error instanceof StoreFull) throw new Problem('full')
      throw error instanceof NotOwner ? new Problem('closed') : error
    }
  }

  /** Writes a join down. A phone that is in already stays so: by another card of that family it cannot come in. */
  async #prepare(way: Checked, isOfMany: boolean): Promise<Engine> {
    const id = `${way.scope}`
    const before = this.all.find(({ known }) => known.id === id)
    const code = await way.secret.code()
    if (before?.lane.joining) {
      // The relay may have taken it: it goes as it stands.
      if (same(before.lane.joining.frame.code, code)) return before
      await this.#settle(before)
    }
    if (before !== undefined && isWell(before)) {
      if (isOfMany || same(before.lane.code, code)) return before
      throw new Problem('refused')
    }
    const order = before?.lane.order ?? 1 + Math.max(0, ...this.all.map(({ lane }) => lane.order))
    if (before !== undefined) {
      await this.written(before.change(step => prepare(step, way, order)))
      return before
    }
    const step = new Step(unknown(id))
    await prepare(step, way, order)
    await this.written(this.#parts.store.commit(step.writes))
    const engine = this.#engineOf(step.known())
    this.all = [...this.all, engine]
    return engine
  }

  /** Before another card is tried: by the one before this phone may be in. */
  async #settle(engine: Engine): Promise<void> {
    await this.#letIn([engine]).catch((error: unknown) => {
      if (engine.lane.joining !== null) throw error
    })
  }

  /** Sends joins as they stand on the disk. Those that must be written anew, as others were faster. */
  async #letIn(all: readonly Engine[]): Promise<readonly Engine[]> {
    const engines = all.filter(({ lane }) => lane.joining !== null)
    const joins = engines.flatMap(({ lane: { joining } }) => joining?.frame ?? [])
    if (joins.length === 0) return []
    const answers = await ask(this.#parts.net, joins)
    const late: Engine[] = []
    let [hasJoined, problem]: [boolean, Problem | null] = [false, null]
    for (const [at, engine] of engines.entries()) {
      const answer = answers[at]
      if (answer?.type === 'joined') {
        await this.written(engine.letIn(answer.device, this.#parts.now()))
        hasJoined = true
        continue
      }
      const isRefused = answer?.type === 'refused'
      const why = problemOf(answer)
      if (isRefused && answer.code === Refusal.STALE) late.push(engine)
      else problem = why
      // Nothing will come of it; of a link anew something may.
      if (isRefused && why.word !== 'slowDown') await this.written(engine.change(step => step.set({ joining: null })))
    }
    if (hasJoined) this.#parts.onJoined()
    if (problem !== null) throw problem
    return late
  }

  #oneByOne<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#joining.then(work)
    this.#joining = done.catch(() => {})
    return done
  }

  #engineOf(known: Known): Engine {
    return new Engine(this.#parts.store, known, this.#parts.onChange)
  }
}
