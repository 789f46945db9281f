import assert from 'node:assert/strict'
import { test } from 'node:test'

import { concat, toBase64Url, type Bytes } from '../src/bytes.ts'
import { encode } from '../src/codec.ts'
import type { Voice } from '../src/proto/text.ts'
import { sha256 } from '../src/roster/digest.ts'
import { CannotOpen, random } from '../src/seal/primitive.ts'
import { sealVoice, storedLength } from '../src/seal/voice.ts'
import { fetchVoice, fetchesAhead, partOf, passesCap } from '../src/voice/fetch.ts'
import { BadVoiceLink, followLink, linkTo, makeLink, parseFragment } from '../src/voice/link.ts'
import { mediaTypeOf } from '../src/voice/microphone.ts'
import { shareHeard } from '../src/voice/share.ts'
import { set, stopped } from './blobs.ts'
import { fromHex, vectors } from './files.ts'
import { spoilt } from './spoilt.ts'

const NAME = '0102030405060708090a0b0c'

async function note(sound: Bytes): Promise<{ voice: Voice, stored: Bytes }> {
  const { key, stored, hash } = await sealVoice(sound)
  const mediaType = 'audio/ogg; codecs=opus'
  return { voice: { blob: NAME, key, size: sound.length, duration: 9_000, mediaType, hash }, stored }
}

test('a voice note comes, over a line that is cut, and opens', async () => {
  const { relay, way } = await set({ cutAfter: 20_000 })
  const sound = random(50_000)
  const { voice, stored } = await note(sound)
  relay.put(NAME, stored)

  const come = await fetchVoice(way, voice, partOf(voice))

  assert.deepEqual(come, { stored, sound })
})

test('a chunk swapped, a tail cut, a bit changed: refused, by link too, and nothing of it is kept', async () => {
  let tried = 0
  for (const it of vectors('blob.json').negative) {
    const { key, stored } = await spoilt(it)
    // As if who changed it could have told its size and hash.
    const claimed = stored.length - 16 * Math.max(1, Math.ceil(stored.length / 16_400))
    if (storedLength(claimed) !== stored.length) continue
    tried++
    const told = { key, size: claimed, duration: 1, mediaType: 'audio/webm' }
    const voice: Voice = { ...told, blob: NAME, hash: fromHex(it.result_hash) }
    const { relay, way } = await set()
    relay.put(NAME, stored)
    const part = partOf(voice)

    await assert.rejects(fetchVoice(way, voice, part), CannotOpen, it.name)
    assert.equal(part.have, 0)
    await assert.rejects(followLink(way, { token: NAME, voice }, partOf(voice)), CannotOpen, it.name)
  }
  assert.equal(tried, 8, 'the other has a size that no file has')
})

test('another file under the same key and size is not what was sent', async () => {
  const { relay, way } = await set()
  const { voice, stored } = await note(random(20_000))
  stored[7] = (stored[7] as number) ^ 1
  relay.put(NAME, stored)

  await assert.rejects(fetchVoice(way, voice, partOf(voice)), CannotOpen)
  await assert.rejects(fetchVoice(way, { ...voice, hash: await sha256(stored) }, partOf(voice)), CannotOpen)
})

test('a file that ends too soon is waited for, not taken', async () => {
  const { relay, way } = await set()
  const { voice, stored } = await note(random(40_000))
  relay.put(NAME, stored.slice(0, 32_800))

  await assert.rejects(fetchVoice(way, voice, partOf(voice)), stopped('later'))
})

test('a link is made, reads back, and opens what it leads to', async () => {
  const { relay, way } = await set()
  const sound = random(30_000)
  const { voice, stored } = await note(sound)
  relay.linkToken = 'dG9rZW4_-'
  relay.put('dG9rZW4_-', stored)

  const address = await makeLink(way, 'https://relay.example.org', voice, 259_200)

  const [sent, fragment = ''] = address.split('#')
  assert.equal(sent, 'https://relay.example.org/v')
  assert.deepEqual([relay.asked[0], relay.wish], ['POST', '{"seconds":259200}'])
  const link = parseFragment(fragment)
  const { key, size, duration, mediaType } = voice
  assert.deepEqual(link, { token: 'dG9rZW4_-', voice: { key, size, duration, mediaType } })
  assert.deepEqual(await followLink({ ...way, token: null }, link, partOf(link.voice)), sound)
})

test('a link that is not made says why', async () => {
  const { voice } = await note(random(9))
  const cases = [[404, 'gone'], [401, 'unauthorised'], [503, 'later'], [400, 'later'], [200, 'refused']] as const
  for (const [status, why] of cases) {
    const { way } = await set({ answer: { status } })
    await assert.rejects(makeLink(way, 'https://x', voice, 60), stopped(why), `${status}`)
  }
  const { relay, way } = await set()
  relay.linkToken = '../metrics'
  await assert.rejects(makeLink(way, 'https://x', voice, 60), stopped('later'))
})

test('a fragment has one form, and nothing else is read or repeated', async () => {
  const { voice } = await note(random(9))
  const told = [voice.key, voice.size, voice.duration, voice.mediaType]
  const good = linkTo('https://x', 'dG9rZW4_-', voice).split('#')[1] as string
  const of = (...told: Parameters<typeof encode>[0][]) => `dG9rZW4_-.${toBase64Url(encode(told))}`
  assert.equal(of(...told), good)

  const bad = [
    '', '.', good.replace('.', '_'), good.slice(0, -1), `${good}A`, `${good}.`, `${good}=`, `#${good}`,
    good.replace('dG9rZW4_-', '../metrics'), good.replace('dG9rZW4_-', ''), good.replace('dG9rZW4_-', 'x'.repeat(201)),
    of(...told.slice(0, 3)), of(...told, 0), of(voice.key.subarray(1), ...told.slice(1)), of(told as any),
    of(voice.key, 0, 9, 'audio/ogg'), of(voice.key, 1024 * 1024 + 1, 9, 'audio/ogg'), of(voice.key, 9, 0, 'audio/ogg'),
    of(voice.key, 9, 600_001, 'audio/ogg'), of(voice.key, 9, 9, 'text/html'), of(voice.key, 9, 9, 'audio/"><script>'),
    of('k', 9, 9, 'audio/ogg'), of(voice.key, '9', 9, 'audio/ogg'), of(voice.key, 9, 9, null),
    `dG9rZW4_-.${toBase64Url(concat(encode(told), Uint8Array.of(0)))}`,
    // A length not in its shortest form.
    `dG9rZW4_-.${toBase64Url(concat(Uint8Array.of(0x98, 4), encode(told).subarray(1)))}`,
  ]
  for (const fragment of bad) {
    const isSilent = (error: Error) => error instanceof BadVoiceLink && !error.message.includes('dG9')
    assert.throws(() => parseFragment(fragment), isSilent, fragment)
  }
})

test('only what was played counts, and only once', () => {
  assert.equal(shareHeard([], 10), 0)
  assert.equal(shareHeard([[0, 5]], 10), 50)
  assert.equal(shareHeard([[0, 2], [7, 10]], 10), 50)
  assert.equal(shareHeard([[7, 10], [0, 4], [2, 4]], 10), 70)
  assert.equal(shareHeard([[9, 10]], 10), 10)
  assert.equal(shareHeard([[0, 10.2]], 10), 100)
  assert.equal(shareHeard([[0, 4.94]], 10), 49)
  assert.equal(shareHeard([[0, 3]], 0), 0)
})

test('a note is fetched ahead as the family says, and as far as the browser tells of its line', () => {
  const [wifi, mobile, saving] = [{ type: 'wifi' }, { type: 'cellular' }, { type: 'wifi', saveData: true }]
  const asked = (setting: 'never' | 'wifi' | 'always') =>
    [wifi, mobile, saving, { type: 'ethernet' }, {}, undefined].map(line => fetchesAhead(setting, line))

  assert.deepEqual(asked('never'), [false, false, false, false, false, false])
  assert.deepEqual(asked('wifi'), [true, false, false, true, false, false])
  assert.deepEqual(asked('always'), [true, true, true, true, true, true])
})

test('a cap is asked about before it is passed', () => {
  const used = { up: 3_000_000, down: 1_900_000 }

  assert.equal(passesCap(5, used, 100_000), false)
  assert.equal(passesCap(5, used, 100_001), true)
  assert.equal(passesCap(0, { up: 0, down: 0 }, 1), true)
  assert.equal(passesCap(null, used, 1e12), false)
})

test('what a browser calls its files is told in plain characters, and shortly', () => {
  assert.equal(mediaTypeOf('audio/webm;codecs=opus'), 'audio/webm;codecs=opus')
  assert.equal(mediaTypeOf('audio/mp4; codecs="mp4a.40.2"'), 'audio/mp4; codecs=mp4a.40.2')
  assert.equal(mediaTypeOf(`audio/mp4;codecs=${'x'.repeat(40)}`), 'audio/mp4')
})
