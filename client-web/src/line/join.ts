// Asking the relay what an invite opens, and to be let in. Many families at once, as a school's card has them.

import { concat } from '../bytes.ts'
import { Problem } from '../model.ts'
import { decodeFrames, encodeFrame, Refusal, type ClientFrame, type RelayFrame } from '../proto/frame.ts'
import { parseJoinLink, type ScopedSecret, type Several } from '../seal/invite.ts'
import { check, type Checked } from '../sync/join.ts'
import { Offline, type Net } from './net.ts'

/** Of one phone: the relay takes so many lanes. */
export const MAX_FAMILIES = 64

/** Frames, each on a lane of its own, in one round; the first answer to each. Throws `Problem`. */
export async function ask(net: Net, frames: readonly ClientFrame[]): Promise<(RelayFrame | undefined)[]> {
  try {
    const answer = await net.post(concat(...frames.map((frame, lane) => encodeFrame(frame, lane))))
    const said = decodeFrames(answer)
    return frames.map((_, lane) => said.find(it => it.lane === lane)?.frame)
  } catch (error) {
    throw new Problem(error instanceof Offline ? 'offline' : 'unsafe')
  }
}

/** All ways in that a link opens. Uses up nothing. Throws `Problem`. */
export async function look(net: Net, origin: string, link: string): Promise<readonly Checked[]> {
  const way = wayOf(link)
  // Asked at this one, another relay's card would seem to be used, and be told to who has nothing to do with it.
  if (way.origin !== new URL(origin).origin) throw new Problem('otherRelay')
  const [first] = await lookAt(net, [way])
  if (first instanceof Problem || first === undefined) {
    const isShut = first === undefined || first.word === 'invite'
    throw isShut && await isToAsk(net, way) ? new Problem('cardOnly') : first ?? new Problem('invite')
  }
  if (!('several' in first)) return [first]
  if (first.several.length > MAX_FAMILIES) throw new Problem('full')
  const open: Checked[] = []
  for (const it of await lookAt(net, first.several)) {
    if (!(it instanceof Problem)) open.push(single(it))
    // Of a school's card some may be used by now; no other is left out without a word.
    else if (it.word !== 'invite') throw it
  }
  if (open.length === 0) throw new Problem('invite')
  return open
}

function wayOf(link: string): ScopedSecret & { readonly origin: string } {
  try {
    const way = parseJoinLink(link.trim())
    return { ...way, origin: new URL(way.origin).origin }
  } catch {
    throw new Problem('badLink')
  }
}

/** Whether a phone may ask to be let in by it: it opens no card. Keys that are none ask nothing, and use up nothing. */
async function isToAsk(net: Net, { scope, secret }: ScopedSecret): Promise<boolean> {
  const [none, codeHash] = [new Uint8Array(65), new Uint8Array(32)]
  const code = await secret.code()
  const [answer] = await ask(net, [{ type: 'request', scope, code, signPub: none, hpkePub: none, codeHash }])
  return answer?.type === 'refused' && answer.code === Refusal.MALFORMED
}

/** One way in again, where another phone was faster. */
export async function lookAgain(net: Net, way: ScopedSecret): Promise<Checked> {
  const [found] = await lookAt(net, [way])
  if (found instanceof Problem) throw found
  return single(found)
}

function single(found: Checked | Several | undefined): Checked {
  if (found === undefined || 'several' in found) throw new Problem('unsafe')
  return found
}

async function lookAt(net: Net, ways: readonly ScopedSecret[]): Promise<(Checked | Several | Problem)[]> {
  const looks = ways.map(async ({ scope, secret }) => ({ type: 'look', scope, code: await secret.code() }) as const)
  const answers = await ask(net, await Promise.all(looks))
  return Promise.all(ways.map(async (way, at) => {
    const answer = answers[at]
    if (answer?.type !== 'invited') return problemOf(answer)
    return check(way, answer).catch(() => new Problem('unsafe'))
  }))
}

export function problemOf(answer: RelayFrame | undefined): Problem {
  if (answer?.type !== 'refused') return new Problem('unsafe')
  if (answer.code === Refusal.INVITE) return new Problem('invite')
  const isBusy = answer.code === Refusal.SLOW_DOWN || answer.code === Refusal.UNAVAILABLE
  return new Problem(isBusy ? 'slowDown' : 'refused')
}
