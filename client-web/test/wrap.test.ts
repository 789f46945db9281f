import assert from 'node:assert/strict'
import { test } from 'node:test'

import { concat, utf8, type Bytes } from '../src/bytes.ts'
import { BadLink, readLink, type Op } from '../src/roster/link.ts'
import { Roster } from '../src/roster/roster.ts'
import { writeFirstLink } from '../src/seal/first.ts'
import { hpkeOpen, hpkeSeal } from '../src/seal/hpke.ts'
import { generateKeyPairs, generateOwnKeys, importOwnKeys, type KeyPairs, type OwnKeys } from '../src/seal/keys.ts'
import { CannotOpen, derive, random } from '../src/seal/primitive.ts'
import { openBack, openWrap, sealBack, type FamilyKey, type Holder } from '../src/seal/wrap.ts'
import { writeLink, type NewLink } from '../src/seal/write.ts'
import { after, chain, holder, holders, isRefused, keysOf, links, pair } from './chain.ts'
import { fromHex, toHex, vectors } from './files.ts'

function keyOf(at: number): Bytes | null {
  const { K } = chain.links[at - 1]
  return K && fromHex(K)
}

test('a wrap opens for its recipient and link only', async () => {
  const { hpke, negative } = vectors('derive.json')
  const recipients = new Map<string, OwnKeys>()
  for (const it of hpke) {
    const recipient = pair(it.recipient_priv, it.recipient_pub)
    const keys = await importOwnKeys(recipient, recipient)
    recipients.set(it.recipient_priv, keys)
    const info = concat(utf8('jiashu/1 epoch'), fromHex(it.prev))

    assert.equal(toHex(info), it.info)
    assert.equal(toHex(await hpkeOpen(keys, info, fromHex(it.wrap))), it.text)

    const again = await hpkeSeal(recipient.public, info, fromHex(it.text))
    assert.notEqual(toHex(again), it.wrap, 'a wrap is random')
    assert.equal(again.length, 113)
    assert.equal(toHex(await hpkeOpen(keys, info, again)), it.text)
  }
  assert.equal(negative.length, 4)
  for (const it of negative) {
    await assert.rejects(hpkeOpen(recipients.get(it.recipient_priv)!, fromHex(it.info), fromHex(it.wrap)), it.name)
  }
})

test('each link seals the key before to the given bytes', async () => {
  let sealed = 0
  for (const it of chain.links.slice(2)) {
    const [key, before] = [fromHex(it.K), keyOf(it.number - 1)]
    assert.equal(toHex(await derive(key, 'jiashu/1 prev', 32)), it.back_key)

    const back = await sealBack(key, fromHex(it.prev), before)

    assert.equal(toHex(back), it.back, it.what)
    assert.deepEqual(await openBack(fromHex(it.link), key), before)
    sealed++
  }
  assert.equal(sealed, 10)
})

test('every recipient opens its wrap and all keys before', async () => {
  assert.equal(chain.opens.length, 41)
  for (const { at, by, keys } of chain.opens) {
    const wraps = fromHex(chain.links[at - 1].wraps)

    const opened = await openWrap(await keysOf(by), holder(by), links[at - 1]!, wraps)

    assert.deepEqual(opened.before, keyOf(at - 1))
    const all: string[] = []
    let key: FamilyKey | null = opened.key
    for (let number = at; key !== null; number--) {
      all.push(toHex(key))
      key = await openBack(links[number - 1]!, key)
    }
    assert.deepEqual(all.slice(0, keys.length), keys)
    assert.equal(all.length, at - 1, 'from the newest back to link 2')
  }
})

test('who holds keys finds what the roster cannot see', async () => {
  let [found, wentBy] = [0, 0]
  for (const it of chain.negative.filter((it: any) => it.needs_keys_of !== undefined)) {
    const [link, wraps] = [fromHex(it.link), fromHex(chain.negative_wraps[it.wraps])]
    const roster = await (await after(it.after)).follow(link, wraps)
    const known = keyOf(it.after)
    for (const by of holders(roster)) {
      const opened = openWrap(await keysOf(by), holder(by), link, wraps)

      // An invite's holder comes new; a device has followed, and compares.
      const isFault = await isRefused(opened, CannotOpen) !== null
        || (by.startsWith('device') && String((await opened).before) !== String(known))

      assert.equal(isFault, it.needs_keys_of.includes(by), `${it.name}: ${by}`)
      if (isFault) found++
      else wentBy++
    }
  }
  assert.deepEqual([found, wentBy], [10, 5])
})

test('a wrap of somebody else, or none, does not open', async () => {
  const [link, wraps] = [links[11]!, fromHex(chain.links[11].wraps)]
  const open = async (by: string, who: string) => openWrap(await keysOf(by), holder(who), link, wraps)

  await open('device 1', 'device 1')
  for (const [by, who] of [['device 2', 'device 1'], ['device 3', 'device 3'], ['device 1', 'invite 1']] as const) {
    await assert.rejects(open(by, who), CannotOpen)
  }
  await assert.rejects(openBack(links[0]!, random(32)), CannotOpen)
  await assert.rejects(openBack(links[11]!, random(32)), CannotOpen)
})

/** Parent 1, child 2, with a card for each; and everybody's keys. */
class Family {
  readonly keys = new Map<string, OwnKeys>()
  roster = Roster.EMPTY
  key: FamilyKey | null = null

  static async found(): Promise<Family> {
    const family = new Family()
    const cards = [await generateKeyPairs(), await generateKeyPairs()]
    const invites = cards.map(({ sign, hpke }, at) => (
      { number: at + 1, signPub: sign.public, hpkePub: hpke.public, members: [at + 1], expiresAt: 1_800_000_000_000 }
    ))
    const { link, hash } = await writeFirstLink(['parent', 'child'], invites)
    family.roster = await Roster.EMPTY.follow(link)
    assert.deepEqual(family.roster.head, hash)
    for (const [at, card] of cards.entries()) await family.hold(`invite ${at + 1}`, card)
    return family
  }

  static async joined(): Promise<Family> {
    const family = await Family.found()
    await family.join(1)
    await family.join(2)
    return family
  }

  async hold(name: string, { sign, hpke }: KeyPairs) {
    this.keys.set(name, await importOwnKeys(sign, hpke))
  }

  async join(invite: number): Promise<NewLink> {
    const [keys, device] = [await generateOwnKeys(), this.roster.nextDevice]
    this.keys.set(`device ${device}`, keys)
    const { signPub, hpkePub } = keys
    return this.write({ invite }, [{ op: 3, device, signPub, hpkePub, tokenHash: random(32) }])
  }

  /** Writes a link, which everybody who is in then follows and opens. */
  async write(by: Holder, ops: readonly Op[], before = this.key): Promise<NewLink> {
    const writer = 'device' in by ? `device ${by.device}` : `invite ${by.invite}`
    const written = await writeLink(this.roster, by, this.keys.get(writer)!, ops, before)
    this.roster = await this.roster.follow(written.link, written.wraps)
    assert.deepEqual(this.roster.state, written.roster.state)
    for (const name of holders(this.roster)) {
      const opened = await openWrap(this.keys.get(name)!, holder(name), written.link, written.wraps)
      assert.deepEqual(opened, { key: written.key, before }, name)
    }
    this.key = written.key
    return written
  }
}

test('a family is founded, joined, changed and left, and who is in opens each new key', async () => {
  const family = await Family.joined()
  assert.equal(family.roster.number, 3)
  const card = await generateKeyPairs()
  await family.hold('invite 3', card)
  const [member, invite] = [family.roster.nextMember, family.roster.nextInvite]
  const made: readonly Op[] = [
    { op: 1, member, role: 'caregiver' },
    { op: 2, invite, signPub: card.sign.public, hpkePub: card.hpke.public, members: [2, 3], expiresAt: 1 },
  ]

  await family.write({ device: 1 }, made)
  await family.join(invite)
  await family.write({ device: 3 }, [{ op: 6, device: 2, members: [2, 3] }])
  await family.write({ device: 3 }, [])
  const last = await family.write({ device: 1 }, [{ op: 4, device: 3, asked: true }])

  assert.deepEqual(holders(family.roster), ['device 1', 'device 2'])
  assert.deepEqual(family.roster.devices.get(2)?.members, [2, 3])
  assert.deepEqual(readLink(last.link).ops, [{ op: 4, device: 3, asked: true }])
  for (const who of [{ device: 3 }, { invite: 3 }]) {
    await assert.rejects(openWrap(family.keys.get('device 3')!, who, last.link, last.wraps), CannotOpen)
  }
})

test('each attempt at a link makes another key, and no link is written that could not follow', async () => {
  const family = await Family.joined()
  const keys = family.keys.get('device 1')!
  const write = (by: Holder, ops: readonly Op[], before = family.key) =>
    writeLink(family.roster, by, by === child ? family.keys.get('device 2')! : keys, ops, before)
  const child: Holder = { device: 2 }
  const { sign, hpke } = await generateKeyPairs()
  const card = { op: 2, invite: 3, signPub: sign.public, hpkePub: hpke.public, members: [1], expiresAt: 1 } as const

  assert.notDeepEqual((await write({ device: 1 }, [])).key, (await write({ device: 1 }, [])).key)
  for (const [by, ops] of [
    [child, []],
    [{ device: 1 }, [{ op: 4, device: 1, asked: false }]],
    [{ device: 1 }, [{ op: 6, device: 1, members: [2] }]],
    [{ device: 1 }, [{ ...card, hpkePub: card.signPub }]],
    [{ device: 1 }, [{ ...card, signPub: keys.hpkePub }]],
    [{ device: 1 }, [{ ...card, hpkePub: concat(card.hpkePub.slice(0, 64), Uint8Array.of(card.hpkePub[64]! ^ 1)) }]],
    [{ device: 1 }, [{ ...card, hpkePub: concat(Uint8Array.of(6 + card.hpkePub[64]! % 2), card.hpkePub.slice(1)) }]],
  ] as const) {
    await assert.rejects(write(by, ops), BadLink)
  }
  await assert.rejects(write({ device: 1 }, [], null), BadLink, 'the key before is missing')
  const fresh = await Family.found()
  await assert.rejects(fresh.write({ invite: 1 }, [], random(32)), BadLink)
})

test('a phone\'s own private keys cannot be read, and a pair that is none is refused', async () => {
  const own = await generateOwnKeys()
  assert.deepEqual([own.sign.privateKey.extractable, own.hpke.privateKey.extractable], [false, false])
  const { sign, hpke } = await generateKeyPairs()
  const mixed = { private: hpke.private, public: sign.public }

  await importOwnKeys(sign, hpke)
  await assert.rejects(importOwnKeys(mixed, hpke), CannotOpen)
  await assert.rejects(importOwnKeys(sign, mixed), CannotOpen)
  await assert.rejects(importOwnKeys({ ...sign, private: new Uint8Array(32) }, hpke), CannotOpen)
})
