// Staying in touch with the relay: a live connection while somebody looks, rounds where it cannot be had or nobody
// looks, and coming back.

import type { LineState } from '../model.ts'
import type { Millis } from '../proto/id.ts'
import { StoreFull } from '../state/store.ts'
import type { Engine } from '../sync/engine.ts'
import { Live, type Over } from './live.ts'
import { Offline, type Net } from './net.ts'
import { HIDDEN_MAX_MS, Reconnect, type Ending } from './reconnect.ts'
import { sync } from './round.ts'

/** Where a socket failed so often in a row the next look is by a round: networks break WebSockets. */
const SOCKET_TRIES = 2

export interface LineParts {
  /** All families of this phone, as they are just now. */
  readonly engines: () => readonly Engine[]
  readonly net: Net
  readonly now: () => Millis
  /** Whether nobody looks. */
  readonly isHidden: () => boolean
  readonly onState: (state: LineState) => void
  /** What nobody expected, and what stops this tab: the store's. */
  readonly onFault: (error: unknown) => void
}

export class Line {
  readonly #parts: LineParts
  readonly #reconnect = new Reconnect()
  /** Families that are over, or show what does not check: a person who asks, or the next page, asks them again. */
  readonly #resting = new Set<Engine>()
  #live: Live | null = null
  #isStopped = false
  #needsRound = true
  #failures = 0
  #isCatchingUp = false
  #isAsked = false
  #cutWait: () => void = () => {}

  constructor(parts: LineParts) {
    this.#parts = parts
  }

  /** Until `stop`. */
  async run(): Promise<void> {
    while (!this.#isStopped) {
      const over = await this.#once()
      if (this.#isStopped) return
      await this.#rest(over)
    }
  }

  /** The network is gone: what stood is dead, though nobody has said so. */
  lost(): void {
    this.#live?.close()
  }

  stop(): void {
    this.#isStopped = true
    this.#live?.close()
    this.#cutWait()
  }

  /** Something was put into an outbox, or a person looks again, or the network is back: at once. */
  knock(isLookedAt = false): void {
    if (isLookedAt) this.#live?.probe()
    this.#live?.flush()
    this.#needsRound ||= this.#parts.isHidden()
    this.#cutWait()
  }

  /** All of it anew: a person asks, or families came. */
  tryNow(): void {
    this.#resting.clear()
    ;[this.#needsRound, this.#isAsked] = [true, this.#live !== null]
    this.#live?.close()
    this.#cutWait()
  }

  async #once(): Promise<Over | 'idle'> {
    const { engines, net, now, isHidden, onFault } = this.#parts
    const onState = (state: LineState) => this.#isStopped || this.#parts.onState(state)
    const awake = engines().filter(it => it.lane.device > 0 && !this.#resting.has(it))
    if (awake.length === 0) return 'idle'
    let isReached = false
    const neededRound = this.#needsRound
    try {
      if (this.#needsRound || this.#failures >= SOCKET_TRIES || isHidden() || awake.some(it => it.mustCatchUp)) {
        onState('connecting')
        this.#needsRound = false
        await sync(awake, net, now)
        isReached = true
        onState('live')
        if (awake.some(it => it.lane.ended !== null || it.lane.broken !== null)) return this.#leaveOut(awake)
        // A family that came meanwhile was not in that round.
        if (this.#needsRound) return 'catchUp'
      }
      if (isHidden() || this.#isStopped) return 'idle'
      if (!isReached) onState('connecting')
      const over = await this.#stay(awake)
      this.#failures = over === 'failed' ? this.#failures + 1 : 0
      if (over === 'catchUp') this.#needsRound = true
      if (over === 'replaced') onState('closed')
      else if (!isReached || over !== 'failed') onState('offline')
      return over
    } catch (error) {
      this.#needsRound ||= neededRound
      onState('offline')
      if (error instanceof Offline) return error.retryAfter === null ? 'failed' : { comeBack: error.retryAfter }
      onFault(error)
      return error instanceof StoreFull ? 'full' : 'failed'
    }
  }

  #stay(engines: readonly Engine[]): Promise<Over> {
    const { net, now, onState, onFault } = this.#parts
    this.#live = new Live(engines, net, now, () => onState('live'), onFault)
    return this.#live.over.finally(() => (this.#live = null))
  }

  /** Whoever is out, or shows what does not check, must not keep the others from a connection. */
  #leaveOut(engines: readonly Engine[]): 'idle' | 'catchUp' {
    const left = engines.filter(it => it.lane.ended === null && it.lane.broken === null)
    for (const engine of engines) if (!left.includes(engine)) this.#resting.add(engine)
    return left.length === 0 ? 'idle' : 'catchUp'
  }

  async #rest(over: Over | 'idle'): Promise<void> {
    const isHidden = this.#parts.isHidden()
    const wasCatchUp = this.#isCatchingUp
    this.#isCatchingUp = over === 'catchUp'
    // Whoever asks anew, and what is to be looked into round by round, is not kept waiting; but a relay that says the
    // same again is not to be asked without a pause.
    if (this.#isAsked || (over === 'catchUp' && !wasCatchUp)) {
      this.#isAsked = false
      return
    }
    // Two that take over from each other would never end: who is behind waits until a person asks.
    if (over === 'replaced') return this.stop()
    // What cannot be kept is not to be fetched again and again.
    if (over === 'full') return this.#pause(HIDDEN_MAX_MS)
    // Hidden, and all is said: somebody looks, or does something, or it is tried in some minutes.
    if (over === 'idle') return this.#pause(isHidden ? HIDDEN_MAX_MS : null)
    const ending: Ending = over === 'catchUp' ? 'cut' : over
    const { time, mayBeCut } = this.#reconnect.after(ending, Math.random(), isHidden)
    return this.#pause(time, mayBeCut)
  }

  /** So long, or until something happens. */
  #pause(time: Millis | null, mayBeCut = true): Promise<void> {
    return new Promise(resolve => {
      const timer = time === null ? 0 : setTimeout(resolve, time)
      this.#cutWait = () => {
        if (!mayBeCut && !this.#isStopped) return
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
