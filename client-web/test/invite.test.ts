import assert from 'node:assert/strict'
import { test } from 'node:test'

import { sha256 } from '../src/roster/digest.ts'
import {
  BadLinkText, InviteSecret, parseJoinLink, pinnedInvite, writeInvite, type InviteText, type PinnedInvite, type Several,
} from '../src/seal/invite.ts'
import { CannotOpen, derive } from '../src/seal/primitive.ts'
import { chain, links, pair } from './chain.ts'
import { fromHex, toHex, vectors } from './files.ts'

const { bodies, cases, negative, negative_links } = vectors('invite.json')

/** Opens the blob and, if it is for one device, looks for it in the chain as the relay hands it to who joins. */
async function accept(it: any): Promise<{ readonly card: InviteText | Several, readonly pinned: PinnedInvite | null }> {
  const card = await new InviteSecret(fromHex(it.S)).open(fromHex(it.blob))
  if ('several' in card || it.chain_body === null) return { card, pinned: null }
  const at = chain.links.findIndex((link: any) => link.body === bodies[it.chain_body])
  return { card, pinned: await pinnedInvite(card, links.slice(0, at + 1)) }
}

test('a secret gives its code, its link and its blob', async () => {
  for (const it of cases) {
    const secret = new InviteSecret(fromHex(it.S))

    assert.equal(toHex(await secret.code()), it.code, it.name)
    assert.equal(toHex(await sha256(await secret.code())), it.code_hash, it.name)
    assert.equal(toHex(await derive(fromHex(it.S), 'jiashu/1 invite', 32)), it.blob_key, it.name)
    assert.equal(secret.link(`https://${it.host}`, BigInt(it.scope)), it.link, it.name)
    assert.equal(toHex(await secret.seal(fromHex(it.text), fromHex(it.nonce))), it.blob, it.name)
  }
})

test('a card is read from its link and blob, and stands in the chain', async () => {
  assert.equal(cases.length, 3)
  for (const it of cases) {
    const { origin, scope, secret } = parseJoinLink(it.link)
    assert.deepEqual([origin, scope], [`https://${it.host}`, BigInt(it.scope)])
    assert.equal(toHex(await secret.code()), it.code)

    const { card, pinned } = await accept(it)

    if ('several' in card) {
      const again = card.several.map(({ scope, secret }) => secret.link('https://a', scope))
      assert.equal(again.length, it.fields.cards.length)
      const given = it.fields.cards.map((card: string) => Buffer.from(card, 'hex').toString('base64url'))
      assert.deepEqual(again, given.map((card: string) => `https://a/join#${card}`))
      continue
    }
    const { invite, members, names, device_name } = it.fields
    assert.deepEqual(pinned, { invite, members, link: it.chain_body === 'link 1' ? 1 : 5 })
    assert.deepEqual([...card.names], names)
    assert.equal(card.deviceName, device_name)
    const { sign_priv, sign_pub, hpke_priv, hpke_pub } = chain.keys[`invite ${invite}`]
    const keys = { sign: pair(sign_priv, sign_pub), hpke: pair(hpke_priv, hpke_pub) }
    assert.equal(toHex(writeInvite(card.pin, keys, names, device_name)), it.text)
  }
})

test('a card that was changed or names another family is not accepted', async () => {
  assert.equal(negative.length, 13)
  for (const it of negative) await assert.rejects(accept(it), CannotOpen, it.name)
})

test('a card without the names of all members, or with one twice, is not accepted', async () => {
  const [it] = cases
  const card = await new InviteSecret(fromHex(it.S)).open(fromHex(it.blob))
  assert.ok(!('several' in card))
  const [first, ...names] = [...card.names]
  const { sign_priv, sign_pub, hpke_priv, hpke_pub } = chain.keys[`invite ${it.fields.invite}`]
  const keys = { sign: pair(sign_priv, sign_pub), hpke: pair(hpke_priv, hpke_pub) }
  const secret = new InviteSecret()

  await assert.rejects(pinnedInvite({ ...card, names: new Map(names) }, links), CannotOpen)
  await assert.rejects(pinnedInvite(card, []), CannotOpen)
  for (const wrong of [[first!, first!, ...names], [...names, first!]]) {
    const blob = await secret.seal(writeInvite(card.pin, keys, wrong, null))
    await assert.rejects(secret.open(blob), CannotOpen)
  }
})

test('a link that is not exactly one to join by is not read', () => {
  assert.equal(negative_links.length, 4)
  for (const { link, reason } of negative_links) assert.throws(() => parseJoinLink(link), BadLinkText, reason)
  const fragment = cases[0].link.split('#')[1]
  for (const origin of ['https://relay.example:8443', 'http://localhost:7373', 'http://127.0.0.1']) {
    assert.equal(parseJoinLink(`${origin}/join#${fragment}`).origin, origin)
  }
  for (const start of [
    'https:///join', 'https://relay.example:/join', 'https://relay.example:+1/join', 'https://relay.example:70000/join',
    'https://someone@relay.example/join', 'https://relay.example/a/join', 'https://relay.example/join/',
    'https://relay.example/join?', 'ftp://relay.example/join', 'relay.example/join', ' https://relay.example/join',
  ]) {
    assert.throws(() => parseJoinLink(`${start}#${fragment}`), BadLinkText, start)
  }
  assert.throws(() => parseJoinLink(`${cases[0].link}\n`), BadLinkText)
})

test('no link is made for an address that is no origin', () => {
  const secret = new InviteSecret()
  for (const origin of ['relay.example', 'https://a/b', 'https://u@a', 'https://', 'ftp://a', 'https://a:', 'https://a#']) {
    assert.throws(() => secret.link(origin, 7n), origin)
  }
})
