// The family of proto/vectors/roster.json: its chain, and everybody's keys.

import type { Bytes } from '../src/bytes.ts'
import { Roster } from '../src/roster/roster.ts'
import { importOwnKeys, type KeyPair, type OwnKeys } from '../src/seal/keys.ts'
import type { Holder } from '../src/seal/wrap.ts'
import { fromHex, vectors } from './files.ts'

export const chain = vectors('roster.json')

export const links: readonly Bytes[] = chain.links.map((it: any) => fromHex(it.link))

/** The roster after so many of its links. */
export async function after(count: number): Promise<Roster> {
  return follow(Roster.EMPTY, links.slice(0, count))
}

export async function follow(roster: Roster, links: readonly Bytes[]): Promise<Roster> {
  for (const link of links) roster = await roster.follow(link)
  return roster
}

export function pair(secret: string, shared: string): KeyPair {
  return { private: fromHex(secret), public: fromHex(shared) }
}

/** By its name in the vectors, as `device 1`. */
export function keysOf(name: string): Promise<OwnKeys> {
  const { sign_priv, sign_pub, hpke_priv, hpke_pub } = chain.keys[name]
  return importOwnKeys(pair(sign_priv, sign_pub), pair(hpke_priv, hpke_pub))
}

export function holder(name: string): Holder {
  const [kind, number] = name.split(' ')
  return kind === 'device' ? { device: Number(number) } : { invite: Number(number) }
}

/** Who has a wrap after the newest link, by their names in the vectors. */
export function holders({ devices, invites }: Roster): string[] {
  const named = (kind: string, map: ReadonlyMap<number, unknown>) => Array.from(map.keys(), number => `${kind} ${number}`)
  return [...named('device', devices), ...named('invite', invites)]
}

export async function isRefused(promise: Promise<unknown>, as: new (...args: any[]) => Error): Promise<string | null> {
  try {
    await promise
    return null
  } catch (error) {
    if (error instanceof as) return error.message
    throw error
  }
}
