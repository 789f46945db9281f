// A relay in memory, for tests of the engine: it keeps a log for each family and answers as docs/PROTOCOL.md says, as
// far as these tests go. It can also lose answers, refuse, and lie.

import './files.ts'

import { concat, fromHex, same, toHex, type Bytes } from '../src/bytes.ts'
import { decode, decodeAll, encode, record, type Cbor } from '../src/codec.ts'
import { Offline, type Net, type Socket, type SocketEvents } from '../src/line/net.ts'
import type { MemberId, Ref } from '../src/proto/id.ts'
import { sha256 } from '../src/roster/digest.ts'
import { readLink, type Role } from '../src/roster/link.ts'
import { occurrenceRef } from '../src/roster/occurrence.ts'
import { Roster } from '../src/roster/roster.ts'
import { writeFirstLink } from '../src/seal/first.ts'
import { InviteSecret, writeInvite } from '../src/seal/invite.ts'
import { generateKeyPairs } from '../src/seal/keys.ts'

export const NOON = 1_800_000_000_000
export const ORIGIN = 'https://relay.example'
export const GENERATION = 7

/** An entry: `key` supersedes. */
export interface Entry {
  readonly seq: number
  readonly at: number
  readonly kind: number
  readonly body: readonly Cbor[]
  readonly key: string | null
}

interface Card { readonly invite: number, readonly codeHash: Bytes, readonly blob: Bytes }
interface Held {
  readonly kind: number
  readonly fields: readonly Cbor[]
  readonly sealed: Bytes
  readonly epoch: number
}

export class TestFamily {
  log: Entry[] = []
  roster = Roster.EMPTY
  links: Bytes[] = []
  wraps: Bytes | null = null
  cards: Card[] = []
  /** Hashes of codes by which phones may ask to be let in. */
  tickets: Bytes[] = []
  held = new Map<Ref, Held>()
  /** What the relay answers a command in place of doing it, once each: fields of `refused`. */
  refusals: ((n: number) => Cbor[])[] = []
  /** A card is not looked at. */
  isBusy = false
  /** What it gives back of any schedule. */
  givenBack: Bytes[] = []
  /** By device. */
  lastN = new Map<number, number>()
  answers = new Map<number, { readonly ref: string, readonly posted: Cbor[] }[]>()
  /** Commands as they came, also those refused. */
  commands: { readonly device: number, readonly kind: number, readonly body: readonly Cbor[] }[] = []

  constructor(readonly scope: bigint) {}

  /** As it is now; to be given to `restore`. */
  copy(): Pick<TestFamily, 'log' | 'links' | 'roster' | 'wraps' | 'lastN'> {
    const { log, links, roster, wraps, lastN } = this
    return { log, links: [...links], roster, wraps, lastN: new Map(lastN) }
  }

  /** From a backup: places after it were given other tags then. */
  restore(copy: ReturnType<TestFamily['copy']>): void {
    Object.assign(this, copy)
    this.#life++
    this.answers.clear()
  }

  #life = 0

  tagOf(seq: number): number {
    return seq === 0 ? 0 : seq * 11 + this.#life
  }

  get head(): number {
    return this.log.at(-1)?.seq ?? 0
  }

  push(kind: number, body: readonly Cbor[], key: string | null = null): Entry {
    const seq = this.head + 1
    this.log = [...this.log.filter(entry => key === null || entry.key !== key)]
    const entry = { seq, at: NOON + seq * 1000, kind, body, key }
    this.log.push(entry)
    return entry
  }

  async follow(link: Bytes, wraps: Bytes | null): Promise<Entry> {
    this.roster = await this.roster.follow(link, wraps)
    this.links.push(link)
    this.wraps = wraps
    const entry = this.push(16, [link], `link/${this.roster.number}`)
    if (wraps !== null) this.push(17, [this.roster.number, wraps], 'wraps')
    return entry
  }

  /** A held body as it is given back. */
  heldOf(body: Ref, schedule: Ref): Bytes {
    const held = this.held.get(body)
    if (held === undefined) throw new Error('nothing is held')
    const [device = 0, from = 0, to = [], validFor = null, blob = null] = held.fields
    const fired = [fromHex(body), fromHex(schedule), '', 0, null, validFor, 0]
    return encode([held.kind, [device, from, fromHex(body), held.epoch, to, held.sealed, null, null, blob, fired]])
  }

  /** A schedule releases a held body. */
  async fire(body: Ref, schedule: Ref, planned: string, version = 0): Promise<Ref> {
    const held = this.held.get(body)
    if (held === undefined) throw new Error('nothing is held')
    const ref = (await occurrenceRef(body, schedule, planned)) ?? ''
    const [device, from, to, validFor, blob] = held.fields
    const dueAt = Date.parse(`${planned}Z`)
    const fired = [fromHex(body), fromHex(schedule), planned, dueAt, null, validFor ?? null, version]
    const message = [device ?? 0, from ?? 0, fromHex(ref), held.epoch, to ?? [], held.sealed, null, null, blob ?? null]
    this.push(held.kind, [...message, fired])
    return ref
  }
}

export class TestRelay implements Net {
  readonly families = new Map<string, TestFamily>()
  isDown = false
  hasSockets = true
  /** The next answer is lost on its way. */
  losesAnswer = false
  /** The next answer comes once this has settled. */
  holdsAnswer: Promise<void> | null = null
  rounds = 0
  readonly #live: Connection[] = []

  /** A family as staff enrol it: its number, and a link for each phone. */
  async enrol(
    scope: bigint,
    roles: readonly Role[],
    phones: readonly (readonly MemberId[])[],
  ): Promise<{ readonly family: TestFamily, readonly links: readonly string[] }> {
    const keys = await Promise.all(phones.map(() => generateKeyPairs()))
    const ways = phones.map((members, at) => {
      const pairs = keys[at]
      if (pairs === undefined) throw new Error('no keys')
      return { number: at + 1, signPub: pairs.sign.public, hpkePub: pairs.hpke.public, members, expiresAt: NOON }
    })
    const first = await writeFirstLink(roles, ways)
    const family = new TestFamily(scope)
    this.families.set(`${scope}`, family)
    await family.follow(first.link, null)
    const names = roles.map((role, at) => [at + 1, `${role} ${at + 1}`] as const)
    const secrets = phones.map(() => new InviteSecret())
    for (const [at, secret] of secrets.entries()) {
      const pairs = keys[at]
      if (pairs === undefined) throw new Error('no keys')
      const blob = await secret.seal(writeInvite(first.hash, pairs, names, null))
      family.cards.push({ invite: at + 1, codeHash: await sha256(await secret.code()), blob })
    }
    roles.forEach((_, at) => family.push(20, [at + 1, 'Asia/Shanghai', 'zh-Hans'], `member/${at + 1}`))
    return { family, links: secrets.map(secret => secret.link(ORIGIN, scope)) }
  }

  async post(frames: Bytes): Promise<Bytes> {
    if (this.isDown) throw new Offline()
    this.rounds++
    const connection = new Connection(this)
    const said: Bytes[] = []
    for (const item of decodeAll(frames)) said.push(...(await connection.hear(item)))
    said.push(...connection.entries())
    await this.wake()
    const held = this.holdsAnswer
    this.holdsAnswer = null
    await held
    if (this.losesAnswer) {
      this.losesAnswer = false
      throw new Offline()
    }
    return concat(...said)
  }

  connect(events: SocketEvents): Socket {
    const connection = new Connection(this, events)
    let work: Promise<unknown> = Promise.resolve()
    if (this.isDown || !this.hasSockets) {
      setTimeout(() => events.closed(1006, ''))
    } else {
      setTimeout(() => events.opened())
      this.#live.push(connection)
    }
    return {
      send: frame => {
        work = work.then(async () => {
          for (const said of await connection.hear(decode(frame))) connection.tell(said)
          await this.wake()
        })
      },
      close: () => connection.end(1000),
    }
  }

  #tasks: Promise<unknown> = Promise.resolve()

  /** A log has one writer. */
  oneByOne<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#tasks.then(task)
    this.#tasks = done.catch(() => {})
    return done
  }

  /** Everybody who is connected is given what is new. */
  async wake(): Promise<void> {
    for (const connection of this.#live) for (const said of connection.entries()) connection.tell(said)
    await Promise.resolve()
  }

  /** The network goes, and with it all connections. */
  cut(): void {
    for (const connection of this.#live.splice(0)) connection.end(1006)
  }
}

interface Lane {
  readonly family: TestFamily
  readonly device: number
  upto: number
  readonly sent: Set<number>
}

class Connection {
  readonly #relay: TestRelay
  readonly #events: SocketEvents | null
  readonly #lanes = new Map<number, Lane>()
  #isOver = false

  constructor(relay: TestRelay, events: SocketEvents | null = null) {
    this.#relay = relay
    this.#events = events
  }

  tell(said: Bytes): void {
    if (!this.#isOver) this.#events?.received(said)
  }

  end(code: number): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#lanes.clear()
    this.#events?.closed(code, '')
  }

  /** What each lane does not have yet: a page. */
  entries(): Bytes[] {
    return [...this.#lanes].flatMap(([lane, at]) => {
      const { family, device, upto } = at
      if (!family.roster.devices.has(device)) {
        this.#lanes.delete(lane)
        return [said(...refused(4), lane)]
      }
      const all = family.log.filter(({ seq }) => seq > upto)
      const page = all.slice(0, 64)
      if (upto >= family.head) return []
      const reached = page.length < all.length ? (page.at(-1)?.seq ?? upto) : family.head
      at.upto = reached
      at.sent.add(reached)
      let [seq, time] = [upto, 0]
      const items = page.map(entry => {
        const item = [entry.seq - seq, entry.at - time, entry.kind, record(...entry.body)]
        ;[seq, time] = [entry.seq, entry.at]
        return item
      })
      return [said(17, [upto, reached, family.tagOf(reached), 0, items], lane)]
    })
  }

  hear(item: Cbor): Promise<Bytes[]> {
    return this.#relay.oneByOne(() => this.#hear(item))
  }

  async #hear(item: Cbor): Promise<Bytes[]> {
    const [kind, body, lane = 0] = item as [number, Cbor[], number?]
    const answer = async () => {
      switch (kind) {
        case 1:
          return this.#hello(body, lane)
        case 3: {
          const at = this.#lanes.get(lane)
          // Of what was sent it is not answered; any other says where it stands.
          if (at !== undefined && !at.sent.has(body[0] as number)) at.upto = body[0] as number
          return []
        }
        case 8:
          return [await this.#look(body)]
        case 9:
          return [await this.#join(body)]
        case 10:
          return [[21, [NOON]] as const]
        case 34:
          return [[30, [[[NOON, '2027-01-17T19:30:00', 1, [['2027-01-17T19:30:00+08:00', true]]]]]] as const]
        case 35:
          return [[31, [body[0] ?? 0, this.#lanes.get(lane)?.family.givenBack ?? [], null]] as const]
        case 32:
          return [await this.#request(body)]
        case 33:
          return [await this.#handIn(body)]
        default:
          return [await this.#command(kind, body, lane)]
      }
    }
    return (await answer()).map(([kind, fields]) => said(kind, fields, lane))
  }

  async #hello([token, cursor]: Cbor[], lane: number): Promise<(readonly [number, Cbor[]])[]> {
    const bytes = token as Bytes
    const family = this.#relay.families.get(`${new DataView(bytes.buffer).getBigUint64(0)}`)
    const device = new DataView(bytes.buffer).getUint32(8)
    const live = family?.roster.devices.get(device)
    if (family === undefined || live === undefined || !same(live.tokenHash, await sha256(bytes.slice(12)))) {
      return [refused(4)]
    }
    const [generation, seq, tag] = (cursor ?? [GENERATION, 0, 0]) as number[]
    const stands = generation === GENERATION && tag === family.tagOf(seq ?? 0) && (seq ?? 0) <= family.head
    this.#lanes.set(lane, { family, device, upto: stands ? (seq ?? 0) : 0, sent: new Set() })
    return [[16, [NOON, family.lastN.get(device) ?? 0, GENERATION, stands ? null : true]]]
  }

  async #card([scope, code]: Cbor[]): Promise<{ family: TestFamily, card: Card } | null> {
    const family = this.#relay.families.get(`${BigInt(scope as number)}`)
    const hash = await sha256(code as Bytes)
    const card = family?.cards.find(({ codeHash }) => same(codeHash, hash))
    return family === undefined || card === undefined ? null : { family, card }
  }

  async #look(body: Cbor[]): Promise<readonly [number, Cbor[]]> {
    const found = await this.#card(body)
    if (found?.family.isBusy) return refused(11)
    if (found === null || !found.family.roster.invites.has(found.card.invite)) return refused(10)
    const { card, family } = found
    return [24, [card.invite, card.blob, family.links, family.wraps, NOON]]
  }

  async #request([scope, code, signPub, hpkePub]: Cbor[]): Promise<readonly [number, Cbor[]]> {
    const hash = await sha256(code as Bytes)
    const isOpen = this.#relay.families.get(`${scope}`)?.tickets.some(ticket => same(ticket, hash)) ?? false
    if (isOpen && !same(signPub as Bytes, hpkePub as Bytes)) throw new Error('a ticket would be used')
    return refused(isOpen ? 1 : 10)
  }

  async #join(body: Cbor[]): Promise<readonly [number, Cbor[]]> {
    const found = await this.#card(body)
    if (found === null) return refused(10)
    const { family } = found
    const [, , link, wraps] = body as [Cbor, Cbor, Bytes, Bytes]
    const { device, tokenHash } = joinOf(link) ?? {}
    const used = family.links.find(known => joinOf(known)?.invite === found.card.invite)
    const by = used && joinOf(used)
    if (by) return tokenHash && same(by.tokenHash, tokenHash) ? [25, [by.device, 0]] : refused(10)
    if (!family.roster.invites.has(found.card.invite)) return refused(10)
    try {
      const { seq } = await family.follow(link, wraps)
      return [25, [device ?? 0, seq]]
    } catch {
      return refused(7)
    }
  }

  async #handIn([scope, links, wraps]: Cbor[]): Promise<readonly [number, Cbor[]]> {
    const family = this.#relay.families.get(`${BigInt(scope as number)}`)
    if (family === undefined) return refused(7)
    for (const link of links as Bytes[]) {
      if (family.links.some(known => same(known, link))) continue
      await family.follow(link, link === (links as Bytes[]).at(-1) ? wraps as Bytes : null)
    }
    return [29, [family.roster.number]]
  }

  async #command(kind: number, body: Cbor[], lane: number): Promise<readonly [number, Cbor[]]> {
    const at = this.#lanes.get(lane)
    const [n, first] = body as [number, Bytes]
    if (at === undefined) return refused(18, n)
    const { family, device } = at
    family.commands.push({ device, kind, body })
    const again = kind === 5 ? body[10] : null
    const ref = toHex((again ?? first) as Bytes)
    const answers = family.answers.get(device) ?? []
    family.answers.set(device, answers)
    const known = answers.slice(-16).find(answer => answer.ref === ref)
    if (known !== undefined) return [18, known.posted]
    const refusal = family.refusals.shift()
    if (refusal !== undefined) return [19, refusal(n)]
    const last = family.lastN.get(device) ?? 0
    if (n !== last + 1) return [19, [8, 'the next', n, null, last]]
    const entry = await this.#do(family, device, kind, body)
    if (typeof entry === 'number') return refused(entry, n)
    family.lastN.set(device, n)
    const posted = [n, fromHex(ref), entry?.seq ?? 0, entry?.at ?? NOON]
    answers.push({ ref, posted })
    return [18, posted]
  }

  async #do(family: TestFamily, device: number, kind: number, body: readonly Cbor[]): Promise<Entry | null | number> {
    const [, ref, third, fourth, fifth, sixth, sealed, key, until, blob] = body
    switch (kind) {
      case 2:
        if (third !== family.roster.number) return 6
        return family.push(
          sixth as number,
          [device, fourth ?? 0, ref ?? 0, third, fifth ?? [], sealed ?? 0, key ?? null, until ?? null, blob ?? null],
          key as string | null,
        )
      case 4:
        return family.push(18, [device, ...body.slice(2)], `receipt/${toHex(fourth as Bytes)}/${third}`)
      case 5:
        if (third !== family.roster.number) return 6
        family.held.set(toHex(ref as Bytes), {
          kind: sixth as number, epoch: third, sealed: sealed as Bytes,
          fields: [device, fourth ?? 0, fifth ?? [], until ?? null, blob ?? null],
        })
        return null
      case 6: {
        const [, , from, to, rule, state, schedule, bank, seen] = body
        const id = (schedule ?? ref) as Bytes
        const version = schedule === null || schedule === undefined ? 0 : (seen as number) + 1
        const fact = [id, device, from ?? 0, to ?? [], rule ?? [], state ?? 1, bank ?? null, version]
        return family.push(19, fact, `schedule/${toHex(id)}`)
      }
      case 7:
        try {
          const cards = fifth as [number, Bytes, Bytes][]
          family.cards.push(...cards.map(([invite, codeHash, blob]) => ({ invite, codeHash, blob })))
          return await family.follow(third as Bytes, fourth as Bytes)
        } catch {
          return 7
        }
      case 36:
        return family.push(26, [third ?? 0, fourth ?? []], 'plan')
      default:
        return null
    }
  }
}

/** Who comes in by that link. */
function joinOf(link: Bytes) {
  const { author, ops } = readLink(link)
  const join = ops.find(it => it.op === 3)
  return author.kind === 'invite' && join?.op === 3 ? { ...join, invite: author.invite } : null
}

function refused(code: number, n: number | null = null): [number, Cbor[]] {
  return [19, [code, 'no', n]]
}

function said(kind: number, fields: readonly Cbor[], lane: number): Bytes {
  return encode(lane === 0 ? [kind, record(...fields)] : [kind, record(...fields), lane])
}
