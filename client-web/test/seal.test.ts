import assert from 'node:assert/strict'
import { test } from 'node:test'

import { concat, utf8 } from '../src/bytes.ts'
import { decode, encode } from '../src/codec.ts'
import { cardText } from '../src/enrol/draw.ts'
import { sha256 } from '../src/roster/digest.ts'
import type { Role } from '../src/roster/link.ts'
import { firstBody, writeFirstLink, type Invite } from '../src/seal/first.ts'
import { generateKeyPair, sign, type KeyPair } from '../src/seal/keys.ts'
import { derive } from '../src/seal/primitive.ts'
import { chain as roster, pair } from './chain.ts'
import { fromHex, toHex, vectors } from './files.ts'

const [first] = roster.links

test('keys are derived as everywhere', async () => {
  for (const { label, key, len, out } of vectors('derive.json').D) {
    assert.equal(toHex(await derive(fromHex(key), label, len)), out, label)
  }
})

test('the text of a card is written as everywhere', () => {
  const [it] = vectors('invite.json').cases
  const { sign_priv, sign_pub, hpke_priv, hpke_pub } = roster.keys[`invite ${it.fields.invite}`]
  const members = it.fields.names.map(([number, name]: [number, string]) => ({ number, name }))

  const text = cardText(
    fromHex(first.hash),
    { sign: pair(sign_priv, sign_pub), hpke: pair(hpke_priv, hpke_pub) },
    { members },
    { label: it.fields.device_name },
  )

  assert.equal(toHex(text), it.text)
})

test('link 1 is written as everywhere', async () => {
  const roles: readonly Role[] = ['parent', 'caregiver', 'child', 'child']
  const [, , , [, founder], ops] = decode(fromHex(first.body)) as [number, number, unknown, [number, Uint8Array<ArrayBuffer>], any[][]]
  const invites: Invite[] = ops.filter(([kind]) => kind === 2).map(([, number, signPub, hpkePub, members, expiresAt]) => (
    { number, signPub, hpkePub, members, expiresAt }
  ))

  const body = firstBody(founder, roles, invites)

  assert.equal(invites.length, 3)
  assert.equal(toHex(body), first.body)
  assert.equal(toHex(await sha256(body)), first.hash)
  assert.equal(toHex(encode([body, fromHex(first.signature)])), first.link)
})

test('a signature is good under the pair that made it, and under that of the vectors', async () => {
  const { sign_priv, sign_pub } = roster.keys.worker
  const message = concat(utf8('jiashu/1 link'), fromHex(first.body))
  const worker = { private: fromHex(sign_priv), public: fromHex(sign_pub) }

  assert.ok(await isGood(worker, fromHex(first.signature), message))
  for (const pair of [worker, await generateKeyPair()]) {
    const signature = await sign(pair, message)
    assert.equal(signature.length, 64)
    assert.ok(await isGood(pair, signature, message))
    assert.ok(!await isGood(pair, signature, utf8('another')))
  }
})

test('each link 1 is signed by another key, which nobody keeps', async () => {
  const founder = async () => {
    const { link } = await writeFirstLink(['parent', 'child'], [])
    const [body] = decode(link) as [Uint8Array, Uint8Array]
    return toHex(body).slice(0, 300)
  }

  assert.notEqual(await founder(), await founder())
})

async function isGood(pair: KeyPair, signature: Uint8Array<ArrayBuffer>, message: Uint8Array<ArrayBuffer>): Promise<boolean> {
  const how = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const key = await crypto.subtle.importKey('raw', pair.public, how, false, ['verify'])
  return crypto.subtle.verify(how, key, signature, message)
}
