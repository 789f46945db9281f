import assert from 'node:assert/strict'
import { test } from 'node:test'

import { utf8 } from '../src/bytes.ts'
import { sha256 } from '../src/roster/digest.ts'
import { CannotOpen, seal } from '../src/seal/primitive.ts'
import { openVoice, sealVoice } from '../src/seal/voice.ts'
import { fromHex, toHex, vectors } from './files.ts'
import { file, spoilt } from './spoilt.ts'

const [CHUNK, STORED] = [16_384, 16_400]
const { cases, negative } = vectors('blob.json')

test('a file seals to the given chunks and opens', async () => {
  assert.equal(cases.length, 7)
  for (const it of cases) {
    const [key, sound] = [fromHex(it.key), file(it.size)]
    assert.equal(toHex(await sha256(sound)), it.text_hash, it.name)

    const { stored, hash } = await sealVoice(sound, key)

    assert.equal(toHex(hash), it.stored_hash, it.name)
    assert.equal(stored.length, it.stored_size)
    assert.ok(toHex(stored).startsWith(it.stored_head), it.name)
    assert.deepEqual(await openVoice(key, it.size, hash, stored), sound, it.name)
    for (const [at, nonce] of it.nonces.entries()) {
      const chunk = sound.slice(at * CHUNK, (at + 1) * CHUNK)
      const byHand = await seal(key, fromHex(nonce), utf8('jiashu/1 blob'), chunk)
      assert.ok(toHex(byHand).endsWith(it.tags[at]), it.name)
      assert.deepEqual(stored.slice(at * STORED, (at + 1) * STORED), byHand, it.name)
    }
    assert.equal(it.nonces.length, Math.ceil(stored.length / STORED))
  }
})

test('a file cut or put together otherwise does not open', async () => {
  assert.equal(negative.length, 9)
  for (const it of negative) {
    const { key, sound, stored: changed } = await spoilt(it)
    const hash = await sha256(changed)
    assert.equal(toHex(hash), it.result_hash, it.name)

    // Of whichever size it is said to be.
    const sizes = [sound.length, changed.length - 16 * Math.ceil(changed.length / STORED), changed.length - 16]

    for (const size of sizes) await assert.rejects(openVoice(key, size, hash, changed), CannotOpen, it.name)
  }
})

test('a file of another hash or size is not opened', async () => {
  const { key, stored, hash } = await sealVoice(file(20_000))

  assert.deepEqual(await openVoice(key, 20_000, hash, stored), file(20_000))
  await assert.rejects(openVoice(key, 19_999, hash, stored), CannotOpen)
  await assert.rejects(openVoice(key, 20_000, await sha256(hash), stored), CannotOpen)
})

test('each file has a key of its own', async () => {
  const [one, other] = [await sealVoice(file(9)), await sealVoice(file(9))]

  assert.notDeepEqual(one.key, other.key)
})
