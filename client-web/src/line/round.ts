// Rounds of `POST /1`, all families together, until both sides have what the other had to say. Without a page, too: a
// service worker takes up what a tab has left.

import { concat, type Bytes } from '../bytes.ts'
import { decodeFrames, encodeFrame, type ClientFrame } from '../proto/frame.ts'
import type { Millis } from '../proto/id.ts'
import type { Applied, Engine } from '../sync/engine.ts'
import { Offline, type Net } from './net.ts'

/** Entries of a page: where so many came there may be more. */
const PAGE = 64

/** An answer this large, in bytes, may have been cut at a page's end though it holds few entries. */
const LARGE_ANSWER = 64 * 1024

/** Of a request, in bytes; the relay takes 512 KiB. */
const MAX_BODY = 448 * 1024

/** More than a family writes in 90 days: a relay without end does not hold a phone for ever. */
const MAX_ROUNDS = 256

/** One family, as long as there is something to say or to hear. */
interface Talk {
  readonly engine: Engine
  /** Said in the place of hello and commands: links that the relay lost. */
  instead: readonly ClientFrame[] | null
}

/** Reads all there is, hands in links that the relay lost, and sends all that may go. Throws `Offline`. */
export async function sync(engines: readonly Engine[], net: Net, now: () => Millis): Promise<void> {
  const talks = new Map(engines.map((engine, lane): [number, Talk] => [lane, { engine, instead: null }]))
  let isBusy = false
  for (let round = 0; talks.size > 0 && round < MAX_ROUNDS; round++) {
    let batch = new Map<number, Bytes>()
    for (const [lane, { engine, instead }] of [...talks]) {
      const frames = instead ?? [engine.hello(), ...(await engine.commands(now()))]
      const bytes = concat(...frames.map(frame => encodeFrame(frame, lane)))
      if (concat(...batch.values(), bytes).length > MAX_BODY) {
        isBusy = (await exchange(talks, batch, net, now)) || isBusy
        batch = new Map()
      }
      batch.set(lane, bytes)
    }
    isBusy = (await exchange(talks, batch, net, now)) || isBusy
  }
  if (isBusy) throw new Offline()
}

/** One request. Whether the relay was too busy for one of these families. */
async function exchange(
  talks: Map<number, Talk>,
  batch: ReadonlyMap<number, Bytes>,
  net: Net,
  now: () => Millis,
): Promise<boolean> {
  const answer = await net.post(concat(...batch.values()))
  const applied = new Map<number, Applied[]>()
  for (const { lane, frame } of decodeFrames(answer)) {
    const engine = batch.has(lane) ? talks.get(lane)?.engine : undefined
    const before = applied.get(lane) ?? []
    if (engine === undefined || before.some(({ away }) => away === 'ended')) continue
    applied.set(lane, [...before, await engine.apply(frame, now())])
  }
  let isBusy = false
  for (const lane of batch.keys()) {
    const talk = talks.get(lane)
    const all = applied.get(lane) ?? []
    const away = all.find(({ away }) => away !== null)?.away ?? null
    if (talk === undefined) continue
    const goesOn = away === null && (await next(talk, all, answer.length >= LARGE_ANSWER, now()))
    if (!goesOn) talks.delete(lane)
    isBusy ||= away === 'busy'
  }
  return isBusy
}

/** Whether there is more to say or to hear, and what. */
async function next(talk: Talk, applied: readonly Applied[], isLarge: boolean, now: Millis): Promise<boolean> {
  const { engine } = talk
  const wasHandIn = talk.instead !== null
  talk.instead = null
  if (wasHandIn) return true
  const mayBeMore = isLarge || applied.reduce((sum, { taken }) => sum + taken, 0) >= PAGE
  const handIn = await engine.handIn(!mayBeMore)
  if (handIn !== null) {
    talk.instead = typeof handIn === 'string' ? null : handIn
    return talk.instead !== null
  }
  const hasMoved = applied.some(it => it.hasMoved)
  const isProgress = hasMoved || applied.some(it => it.isSettled)
  return (hasMoved && mayBeMore) || (isProgress && engine.hasMore(now))
}
