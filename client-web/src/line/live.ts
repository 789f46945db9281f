// One live connection: hello for every family, then frames both ways, until it ends.

import type { Bytes } from '../bytes.ts'
import { decodeFrames, encodeFrame, type ClientFrame } from '../proto/frame.ts'
import type { Millis } from '../proto/id.ts'
import { StoreFull } from '../state/store.ts'
import type { Engine } from '../sync/engine.ts'
import type { Net, Socket } from './net.ts'
import type { Ending } from './reconnect.ts'

/** A page does not see the relay's pings, so it asks so often; who is silent for longer than two of these is dead. */
const [BEAT_MS, SILENCE_MS] = [4 * 60_000, 10 * 60_000]

/** After a sleep of the phone a line that is alive answers within this time. */
const PROBE_MS = 15_000

/** How often the clock is looked at. */
const TICK_MS = 5_000

/** How a connection ended, and whether it ever stood. */
export type Over =
  | Ending
  /** What it said is to be looked into round by round. */
  | 'catchUp'
  /** A newer connection of this phone took over. */
  | 'replaced'
  /** What came finds no room. */
  | 'full'

export class Live {
  readonly #engines: readonly Engine[]
  readonly #now: () => Millis
  readonly #onFault: (error: unknown) => void
  readonly #socket: Socket
  readonly #timer: ReturnType<typeof setInterval>
  readonly over: Promise<Over>
  #end: (over: Over) => void = () => {}
  #work: Promise<unknown> = Promise.resolve()
  #isOpen = false
  #heardAt = performance.now()
  #askedAt = performance.now()
  #silenceMs = SILENCE_MS

  constructor(
    engines: readonly Engine[],
    net: Net,
    now: () => Millis,
    onOpen: () => void,
    onFault: (error: unknown) => void,
  ) {
    this.#engines = engines
    this.#now = now
    this.#onFault = onFault
    this.over = new Promise(resolve => (this.#end = resolve))
    this.#socket = net.connect({
      opened: () => {
        this.#isOpen = true
        onOpen()
        this.#then(async () => {
          for (const [lane, engine] of engines.entries()) {
            this.#say(engine.hello(), lane)
            await this.#sayCommands(engine, lane)
          }
        })
      },
      received: bytes => {
        this.#heardAt = performance.now()
        this.#silenceMs = SILENCE_MS
        this.#then(() => this.#take(bytes))
      },
      closed: (code, reason) => {
        const over = this.#isOpen ? meaning(code, reason) : 'failed'
        // What it said last may be why.
        this.#then(async () => this.#finish(engines.some(it => it.mustCatchUp) ? 'catchUp' : over))
      },
    })
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
  }

  /** Something was put into an outbox. */
  flush(): void {
    if (!this.#isOpen) return
    for (const [lane, engine] of this.#engines.entries()) this.#then(() => this.#sayCommands(engine, lane))
  }

  /** Asks whether the line is alive. */
  probe(): void {
    if (!this.#isOpen) return
    this.#silenceMs = PROBE_MS
    this.#heardAt = performance.now()
    this.#say({ type: 'beat' }, 0)
  }

  close(): void {
    this.#finish('cut')
  }

  async #take(bytes: Bytes): Promise<void> {
    for (const { lane, frame } of decodeFrames(bytes)) {
      const engine = this.#engines[lane]
      if (engine === undefined) continue
      const { reply, away } = await engine.apply(frame, this.#now())
      if (away === 'busy') return this.#finish({ comeBack: Math.random() * PROBE_MS })
      // Who is out, or shows what does not check, is left out of the next connection.
      if (away !== null) return this.#finish('catchUp')
      if (engine.mustCatchUp) return this.#finish('catchUp')
      if (reply !== null) this.#say(reply, lane)
      await this.#sayCommands(engine, lane)
    }
  }

  async #sayCommands(engine: Engine, lane: number): Promise<void> {
    for (const frame of await engine.commands(this.#now())) this.#say(frame, lane)
  }

  #tick(): void {
    const at = performance.now()
    if (at - this.#heardAt > this.#silenceMs) return this.#finish(this.#isOpen ? 'cut' : 'failed')
    if (this.#isOpen && at - this.#askedAt > BEAT_MS) {
      this.#askedAt = at
      this.#say({ type: 'beat' }, 0)
    }
    for (const [lane, engine] of this.#engines.entries()) {
      if (this.#isOpen && engine.pauseIsOver(this.#now())) this.#then(() => this.#sayCommands(engine, lane))
      if (engine.isFull) void engine.save().catch(() => {})
    }
  }

  /** One after the other, in the order in which it came. */
  #then(work: () => Promise<void>): void {
    this.#work = this.#work.then(work).catch((error: unknown) => {
      this.#onFault(error)
      this.#finish(error instanceof StoreFull ? 'full' : 'cut')
    })
  }

  #say(frame: ClientFrame, lane: number): void {
    this.#socket.send(encodeFrame(frame, lane))
  }

  #finish(over: Over): void {
    clearInterval(this.#timer)
    this.#isOpen = false
    this.#socket.close()
    this.#end(over)
  }
}

/** What a close code means (docs/PROTOCOL.md, 1). */
function meaning(code: number, reason: string): Over {
  if (code === 1012 && /^\d{1,5}$/.test(reason)) return { comeBack: Number(reason) }
  if (code === 4001) return 'replaced'
  // Whether it was removed, and by whom, the answer to a hello says.
  return code === 4003 ? 'catchUp' : 'cut'
}
