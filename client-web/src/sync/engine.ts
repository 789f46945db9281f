// The engine of one family: frames of the relay go in, the state changes, frames to send come out.
//
// It serves rounds of `POST /1` and the live WebSocket alike; neither the network nor the clock is known here. Each
// frame is applied in one commit, entries and cursor together, and memory changes once that stands. Read in this order:
// what arrives (`reading`, which opens by `opening` and counts by `receipts`), what leaves (`draft`, `sending`); where
// something is wrong: `recovery`, `closing`, `held`.

import { concat, u64, type Bytes } from '../bytes.ts'
import {
  Refusal, type ClientFrame, type Entries, type Posted, type Reached, type RelayFrame, type Refused, type Welcome,
} from '../proto/frame.ts'
import type { DeviceId, Millis } from '../proto/id.ts'
import { laneOf, Step, type Known } from '../state/known.ts'
import { prune, replayAfter } from '../state/outbox.ts'
import type { LaneRow } from '../state/rows.ts'
import { LARGE, StoreFull, type Store, type Write } from '../state/store.ts'
import { firstFlight, isPaused, nextFlight, type Flight } from './flight.ts'
import { askForHeld, asks, queueDue, takeGiven } from './held.ts'
import { letIn } from './join.ts'
import { read } from './reading.ts'
import { derive } from './receipts.ts'
import { end, keptBack, lacksLinks, lostLinks, turnedAway, type Away } from './recovery.ts'
import { maySend, numbered, posted, refused } from './sending.ts'

/** What a frame has changed. */
export interface Applied {
  /** To be sent on a live connection; a round says the same by its next hello. */
  readonly reply: ClientFrame | null
  readonly hasMoved: boolean
  /** Entries taken; where they fill a page there may be more. */
  readonly taken: number
  /** A command found its end. */
  readonly isSettled: boolean
  /** The lane is not to be gone on with just now. */
  readonly away: Away
}

const NOTHING: Applied = { reply: null, hasMoved: false, taken: 0, isSettled: false, away: null }

export class Engine {
  readonly #store: Store
  readonly #onChange: () => void
  #known: Known
  #flight: Flight
  /** The seat for which the connection stands. */
  #greetedAs: DeviceId = 0
  #tasks: Promise<unknown> = Promise.resolve()
  /** What found no room: it stands in memory, and goes before whatever is written next. */
  #unsaved: readonly Write[] = []
  #isFull = false

  constructor(store: Store, known: Known, onChange: () => void = () => {}) {
    this.#store = store
    this.#known = known
    this.#onChange = onChange
    this.#flight = firstFlight(laneOf(known).retryAt)
  }

  get known(): Known {
    return this.#known
  }

  get lane(): LaneRow {
    return laneOf(this.#known)
  }

  /** Whether the phone had no room for what was to be written last. */
  get isFull(): boolean {
    return this.#isFull
  }

  /** This phone's time as the relay's clock has it: a phone may believe that it is 1970. */
  relayTime(now: Millis): Millis {
    return now + this.#flight.offset
  }

  /** Large bytes that a step stored; null where they are not here. */
  async stored(key: string): Promise<Bytes | null> {
    const whole = `${this.#known.id}/${key}`
    const unsaved = this.#unsaved.find(write => write.store === LARGE && write.key === whole)
    return unsaved === undefined ? this.#store.read(whole) : (unsaved.value as Bytes)
  }

  /**
   * One step. Where the phone is full, what a person said (`isDraft`) stands in memory and is kept for the next commit.
   * Throws as `Store.commit`, and whatever `work` throws; nothing has changed then.
   */
  change<T>(work: (step: Step) => T | Promise<T>, isDraft = false): Promise<T> {
    return this.#exclusively(() => this.#step(work, isDraft))
  }

  /** Lets this phone in: what is under way to its seat before is nothing to the new one. */
  letIn(device: DeviceId, now: Millis): Promise<void> {
    return this.#exclusively(async () => {
      await this.#step(step => letIn(step, device, now))
      this.#flight = firstFlight(null)
    })
  }

  /** The first frame of a connection or round. What was unanswered is open again. */
  hello(): ClientFrame {
    this.#greetedAs = this.lane.device
    this.#flight = nextFlight(this.#flight)
    return this.greeting()
  }

  /** As `hello`, on a connection of its own, beside what is under way. */
  greeting(): ClientFrame {
    const { cursor, cursorsAt } = this.lane
    return { type: 'hello', token: tokenOf(this.lane), cursor, cursorsAt }
  }

  /** Applies one frame. All of its effects stand together, or none. */
  apply(frame: RelayFrame, now: Millis): Promise<Applied> {
    return this.#exclusively(async () => {
      if (this.#greetedAs !== this.lane.device) return NOTHING
      switch (frame.type) {
        case 'welcome':
          return this.#welcome(frame, now)
        case 'entries':
          return this.#read(frame, now)
        case 'posted':
          return this.#posted(frame)
        case 'refused':
          return frame.n === null || AWAY.has(frame.code) ? this.#turnedAway(frame) : this.#refused(frame, frame.n, now)
        case 'cursors':
          return this.#cursors(frame.reached)
        case 'handedIn':
          this.#flight.handIn = 'done'
          return { ...NOTHING, isSettled: true }
        case 'givenBack':
          await this.#step(step => takeGiven(step, frame, now))
          // After another removal it may be asked for again.
          for (const key of this.#flight.asked) if (key.startsWith(frame.schedule)) this.#flight.asked.delete(key)
          return { ...NOTHING, isSettled: true }
        default:
          return NOTHING
      }
    })
  }

  /** What to send now: commands, at most so many that no more than 16 are unanswered, and what is asked for. */
  commands(now: Millis): Promise<ClientFrame[]> {
    return this.#exclusively(async () => {
      const flight = this.#flight
      const isSettling = flight.settling && flight.unanswered.size > 0
      const sent = isSettling || !maySend(this.#known, flight, now) ? [] : await this.#numbered(now)
      return [...sent, ...asks(this.#known, flight.asked)]
    })
  }

  /** Whether something could be sent at once, were there a round for it. */
  hasMore(now: Millis): boolean {
    return maySend(this.#known, this.#flight, now) || this.#known.tables.asked.size > 0
  }

  /** Whether a pause that the relay asked for has just ended. */
  pauseIsOver(now: Millis): boolean {
    if (this.#flight.pausedUntil === null || isPaused(this.#flight, now)) return false
    this.#flight.pausedUntil = null
    return true
  }

  /** Whether the log is to be read to its head, round by round, before anything is sent. */
  get mustCatchUp(): boolean {
    return lacksLinks(this.#known) || this.#flight.handIn === 'unknown'
  }

  /**
   * What is to be said before all else, `atHead` of the relay's log: links that it lost, behind a hello where some are
   * taken only on the word of a phone that the relay knows.
   */
  handIn(atHead: boolean): Promise<readonly ClientFrame[] | Away> {
    return this.#exclusively(async () => {
      const { handIn } = this.#flight
      const isUnknown = handIn === 'unknown'
      const isShort = atHead && lacksLinks(this.#known) && this.lane.broken === null
      if (!isUnknown && !isShort) return null
      const from = isUnknown ? 2 : this.lane.logEpoch + 1
      const frame = handIn === 'done' ? null : lostLinks(this.#known, from, isUnknown)
      if (frame === null) {
        return this.#step(step => (isUnknown ? end(step, this.#flight, 'removed') : keptBack(step)))
      }
      this.#flight.handIn = isUnknown ? 'sentUnknown' : 'sent'
      return isUnknown ? [frame] : [this.hello(), frame]
    })
  }

  /** Tries again to write what found no room. */
  save(): Promise<void> {
    return this.change(() => {})
  }

  async #numbered(now: Millis): Promise<ClientFrame[]> {
    const sent = await this.#step(step => numbered(step, this.#flight, now))
    this.#flight.settling = false
    for (const { frame, name, epoch } of sent) this.#flight.unanswered.set(frame.n, { name, epoch })
    return sent.map(({ frame }) => frame)
  }

  async #welcome({ now: relayNow, lastN, generation, restart }: Welcome, now: Millis): Promise<Applied> {
    const flight = this.#flight
    flight.offset = relayNow - now
    await this.#step(step => {
      const lane = laneOf(step)
      if (restart || lane.cursor === null) step.set({ cursor: { generation, seq: 0, tag: 0 }, logEpoch: 0 })
      if (restart) {
        step.set({ cursorsAt: null })
        step.clear('reached')
        for (const key of step.tables.fact.keys()) {
          // The log numbers them anew.
          if (/^(notice|tombstone)\//.test(key)) step.put('fact', key, undefined)
        }
      }
      if (lastN < lane.lastN) {
        // The relay lost the end of its log: what it had acknowledged is said again.
        replayAfter(step, lastN)
        flight.settling = true
      }
      step.set({ lastN, ended: null })
      prune(step, relayNow)
    })
    return { ...NOTHING, hasMoved: restart }
  }

  async #read(entries: Entries, now: Millis): Promise<Applied> {
    if (this.lane.cursor?.seq !== entries.after) return { ...NOTHING, reply: this.#ack() }
    await this.#step(async step => {
      const met = await read(step, entries)
      derive(step)
      queueDue(step, now)
      askForHeld(step, met)
    })
    if (!lacksLinks(this.#known)) this.#flight.handIn = 'notYet'
    // Taking part is recorded, or somebody has closed what was to be closed: letters that waited may move.
    const letsMove = entries.entries.some(({ content: { type } }) => type === 'consent' || type === 'link')
    if (letsMove) this.#flight.pausedUntil = null
    const away = this.lane.broken === null ? null : 'unsafe'
    // A frame that only moves the cursor takes the room of an entry, as the relay counts.
    const taken = Math.max(entries.entries.length, 1)
    return { reply: this.#ack(), hasMoved: entries.upto > entries.after, taken, isSettled: false, away }
  }

  async #posted(answer: Posted): Promise<Applied> {
    await this.#step(step => posted(step, this.#flight, answer))
    const { unanswered } = this.#flight
    for (const [n, { name }] of [...unanswered]) {
      // A command known by its ref is answered with the counter that it had the first time.
      if (n === answer.n || name === answer.ref) unanswered.delete(n)
    }
    return { ...NOTHING, isSettled: true }
  }

  async #refused(answer: Refused, n: number, now: Millis): Promise<Applied> {
    const flight = this.#flight
    const command = flight.unanswered.get(n)
    if (command === undefined) return NOTHING
    flight.unanswered.delete(n)
    flight.settling = true
    const isSettled = await this.#step(step => refused(step, flight, command, answer, now))
    return { ...NOTHING, isSettled }
  }

  async #turnedAway(answer: Refused): Promise<Applied> {
    return { ...NOTHING, away: await this.#step(step => turnedAway(step, this.#flight, answer)) }
  }

  async #cursors(reached: readonly Reached[]): Promise<Applied> {
    await this.#step(step => {
      for (const { device, seq, at } of reached) {
        const known = step.tables.reached.get(`${device}`)
        if (seq > (known?.seq ?? -1)) step.put('reached', device, { seq, at, derived: known?.derived ?? 0 })
        step.set({ cursorsAt: Math.max(laneOf(step).cursorsAt ?? 0, at) })
      }
      derive(step)
    })
    return NOTHING
  }

  /** Where this phone stands, also for a relay that sent entries from elsewhere. */
  #ack(): ClientFrame | null {
    const { cursor } = this.lane
    return cursor && { type: 'ack', seq: cursor.seq, tag: cursor.tag }
  }

  async #step<T>(work: (step: Step) => T | Promise<T>, isDraft = false): Promise<T> {
    const step = new Step(this.#known)
    const result = await work(step)
    const writes = [...this.#unsaved, ...step.writes]
    if (writes.length > 0) {
      try {
        await this.#store.commit(writes)
        ;[this.#unsaved, this.#isFull] = [[], false]
      } catch (error) {
        this.#isFull = error instanceof StoreFull
        if (this.#isFull) this.#onChange()
        if (!isDraft || !this.#isFull) throw error
        this.#unsaved = writes
      }
    }
    this.#known = step.known()
    this.#onChange()
    return result
  }

  #exclusively<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#tasks.then(task)
    this.#tasks = done.catch(() => {})
    return done
  }
}

/** Refusals that speak of the lane, whatever they answer. */
const AWAY: ReadonlySet<number> = new Set([
  Refusal.UNAUTHORISED, Refusal.NEW_CHAIN, Refusal.ERASED, Refusal.HELLO_FIRST,
])

/** What opens the relay to a device: scope, device, secret. */
export function tokenOf({ scope, device, secret }: Pick<LaneRow, 'scope' | 'device' | 'secret'>): Bytes {
  return concat(u64(scope), u64(BigInt(device)).subarray(4), secret)
}
