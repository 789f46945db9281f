import assert from 'node:assert/strict'
import { test } from 'node:test'

import { additional, openBody, sealBody, type BodyFields } from '../src/seal/body.ts'
import { CannotOpen, derive } from '../src/seal/primitive.ts'
import { fromHex, toHex, vectors } from './files.ts'

const { cases, negative } = vectors('body.json')

function fields({ device, from, kind, to, key, until, schedule }: any): BodyFields {
  return { device, from, kind, to, key, until, schedule }
}

test('a body seals to the given bytes and opens', async () => {
  assert.equal(cases.length, 7)
  for (const it of cases) {
    const [key, link, text] = [fromHex(it.K), fromHex(it.link_hash), fromHex(it.text)]
    assert.equal(toHex(await derive(key, 'jiashu/1 body', 32)), it.body_key, it.name)
    assert.equal(toHex(additional(link, fields(it))), it.aad, it.name)

    const sealed = await sealBody(key, link, it.ref, fields(it), text)

    assert.equal(toHex(sealed), it.sealed, it.name)
    assert.deepEqual(await openBody(key, link, it.ref, fields(it), sealed), text, it.name)
  }
})

test('a body with anything changed does not open', async () => {
  assert.equal(negative.length, 22)
  for (const it of negative) {
    const opened = openBody(fromHex(it.K), fromHex(it.link_hash), it.ref, fields(it), fromHex(it.sealed))

    await assert.rejects(opened, CannotOpen, it.name)
  }
})
