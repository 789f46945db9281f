import assert from 'node:assert/strict'
import { test } from 'node:test'

import { concat } from '../src/bytes.ts'
import { sha256 } from '../src/roster/digest.ts'
import { random } from '../src/seal/primitive.ts'
import { Part, Stopped, blobPath, download, nextPiece, upload, type Upload } from '../src/voice/transfer.ts'
import { set, stopped, type Fate } from './blobs.ts'
import './files.ts'

const NAME = '0102030405060708090a0b0c'
const CHUNK = 16_400

async function file(length: number, begun = false): Promise<Upload> {
  const parts = Array.from({ length: Math.ceil(length / 10_000) }, () => random(10_000))
  const stored = concat(...parts).slice(0, length)
  return { blob: NAME, stored, hash: await sha256(stored), begun }
}

test('a file goes up in pieces that grow, and is whole', async () => {
  const { relay, way, waited, moved } = await set()
  const note = await file(250_000)
  const shares: number[] = []

  await upload(way, note, share => shares.push(share))

  assert.deepEqual(relay.stored.get(NAME)?.bytes, Buffer.from(note.stored))
  assert.deepEqual(relay.asked, ['PUT', `PATCH ${CHUNK}`, `PATCH ${3 * CHUNK}`, `PATCH ${7 * CHUNK}`, `PATCH ${15 * CHUNK}`])
  assert.deepEqual([shares[0], shares.at(-1)], [CHUNK / 250_000, 1])
  assert.deepEqual(waited, [])
  assert.equal(moved.up, 250_000 + 5 * 900)
})

test('a short file is one request', async () => {
  const { relay, way } = await set()

  await upload(way, await file(17))

  assert.deepEqual(relay.asked, ['PUT'])
})

test('pieces follow the line, and are whole chunks', () => {
  assert.equal(nextPiece(CHUNK, 100), 2 * CHUNK)
  assert.equal(nextPiece(CHUNK, 2_900), 2 * CHUNK)
  assert.equal(nextPiece(2 * CHUNK, 5_600), 2 * CHUNK)
  assert.equal(nextPiece(2 * CHUNK, 12_000), CHUNK)
  assert.equal(nextPiece(CHUNK, 19_000), CHUNK)
  assert.equal(nextPiece(8 * CHUNK, 0), 8 * CHUNK)
  assert.equal(nextPiece(1_000, 10), CHUNK)
})

test('a line that is cut in each piece costs no byte that had arrived', async () => {
  for (const cutAfter of [1, 9_000, CHUNK - 1, CHUNK]) {
    const cuts = ['PUT', 'PATCH', 'PATCH', 'PATCH'].map(method => ({ method, cutAfter }))
    const { relay, way, waited } = await set(...cuts)
    const note = await file(70_000)

    await upload(way, note)

    assert.deepEqual(relay.stored.get(NAME)?.bytes, Buffer.from(note.stored), `${cutAfter}`)
    assert.equal(relay.received, 70_000)
    assert.deepEqual(waited, [])
    assert.deepEqual(relay.asked.slice(0, 4), ['PUT', 'HEAD', `PATCH ${cutAfter}`, 'HEAD'])
  }
})

test('a lost answer costs a question, and nothing is sent twice', async () => {
  const { relay, way } = await set({ method: 'PUT', loseAnswer: true }, { method: 'PATCH', loseAnswer: true })
  const note = await file(40_000)

  await upload(way, note)

  assert.equal(relay.received, 40_000)
  assert.deepEqual(relay.stored.get(NAME)?.bytes, Buffer.from(note.stored))
})

test('a line on which nothing moves is dead, and what it brought stays', async () => {
  const { relay, way } = await set({ method: 'PUT', silentAfter: 5_000 })

  await upload({ ...way, silenceMs: 400 }, await file(20_000))

  assert.equal(relay.received, 20_000)
  assert.deepEqual(relay.asked, ['PUT', 'HEAD', 'PATCH 5000'])
})

test('what was begun before goes on, also where nothing but its end was missing', async () => {
  const note = await file(40_000, true)
  for (const have of [0, 16_400, 40_000]) {
    const { relay, way } = await set()
    const digest = `sha-256=:${Buffer.from(note.hash).toString('base64')}:`
    relay.stored.set(NAME, { bytes: Buffer.from(note.stored.slice(0, have)), length: 40_000, digest, isWhole: false })

    await upload(way, note)

    assert.equal(relay.received, 40_000 - have)
    assert.equal(relay.stored.get(NAME)?.isWhole, true)
  }
})

test('what the relay has lost, or has already, is found out', async () => {
  const { relay, way } = await set()
  const note = await file(20_000)

  await upload(way, { ...note, begun: true })
  await upload(way, { ...note, begun: true })
  await upload(way, note)

  assert.deepEqual(relay.asked, ['HEAD', 'PUT', `PATCH ${CHUNK}`, 'HEAD', 'PUT'])
})

test('another offset is believed, and offsets without end are given up', async () => {
  const note = await file(40_000)
  const answer = (status: number, offset: string) => ({ status, headers: { 'Upload-Offset': offset } })
  const wrong = (offset: string): Fate => ({ method: 'PATCH', answer: answer(409, offset) })
  const once = await set(wrong('16400'))
  await upload(once.way, note)
  assert.equal(once.relay.received, 40_000)

  for (const offsets of [['16400', '16400'], ['5', '900'], ['0', '99999999'], ['-1', 'x']]) {
    const lost = await set(...Array.from({ length: 40 }, (_, at) => wrong(offsets[at % 2] as string)))
    lost.relay.fates.unshift({ method: 'PUT', answer: answer(201, '16400') })
    await assert.rejects(upload(lost.way, note), stopped('later'), `${offsets}`)
    assert.ok(lost.relay.asked.length < 20)
  }
})

test('damaged bytes are sent again, some times', async () => {
  const { relay, way, waited } = await set()
  const note = await file(40_000)
  const damaged: Upload = { ...note, hash: await sha256(random(8)) }

  await assert.rejects(upload(way, damaged), stopped('later'))

  assert.deepEqual(waited, [1_000, 2_000, 4_000, 8_000])
  assert.equal(relay.stored.has(NAME), false)
})

test('the relay is obeyed: what it refuses, for now or for good', async () => {
  const note = await file(20_000)
  const cases: [number, Record<string, string>, Stopped['why']][] = [
    [401, {}, 'unauthorised'],
    [403, {}, 'later'],
    [404, {}, 'later'],
    [413, {}, 'refused'],
    [429, {}, 'later'],
    [429, { 'Retry-After': '3600' }, 'later'],
    [503, { 'Retry-After': '21' }, 'later'],
    [507, {}, 'refused'],
  ]
  for (const [status, headers, why] of cases) {
    const { relay, way, waited } = await set({ answer: { status, headers } })
    await assert.rejects(upload(way, note), stopped(why), `${status}`)
    assert.deepEqual([relay.asked.length, waited.length], [1, 0], `${status}`)
  }
})

test('a name that is taken stays so, and who met another request of its own goes on', async () => {
  const conflict = (code: string): Fate => ({ answer: { status: 409, body: `{"title":"no","code":"${code}"}` } })
  const taken = await set(conflict('exists'))
  await assert.rejects(upload(taken.way, await file(20_000)), stopped('refused'))

  const { relay, way } = await set(conflict('stale'))
  await upload(way, await file(20_000))
  assert.deepEqual(relay.asked, ['PUT', 'HEAD', 'PUT', `PATCH ${CHUNK}`])
})

test('a pause that the relay asks for is kept, and told where it is long', async () => {
  const busy = { status: 429, headers: { 'Retry-After': '7' } }
  const { relay, way, waited } = await set({ answer: busy }, { method: 'PATCH', answer: { ...busy, status: 503 } })

  await upload(way, await file(40_000))

  assert.deepEqual(waited, [7_000, 7_000])
  relay.fates = [{ answer: { status: 503, headers: { 'Retry-After': '3600' } } }]
  await assert.rejects(upload(way, await file(40_000)), (error: Stopped) => error.pauseMs === 3_600_000)
})

test('who cannot be reached is not asked again and again, and who was reached is', async () => {
  const { relay, way, waited } = await set()
  relay.stop()
  await assert.rejects(upload(way, await file(20_000)), stopped('later'))
  assert.deepEqual(waited, [])

  const torn = await set(...Array.from({ length: 40 }, () => ({ method: 'PATCH', cutAfter: 0 })))
  await assert.rejects(upload(torn.way, await file(20_000)), stopped('later'))
  assert.deepEqual(torn.waited, [1_000, 2_000, 4_000, 8_000])
})

test('an upload that is given up ends at once', async () => {
  const { way } = await set({ silentAfter: 0 })
  const given = new AbortController()
  setTimeout(() => given.abort(), 50)

  await assert.rejects(upload({ ...way, signal: given.signal }, await file(20_000)), stopped('later'))
})

test('a file comes down, over as many lines as it takes', async () => {
  const { relay, way, moved } = await set(...[10_000, 1, 20_000].map(cutAfter => ({ cutAfter })))
  const { stored } = await file(60_000)
  relay.put(NAME, stored)
  const shares: number[] = []

  const come = await download(way, blobPath(NAME), new Part(60_000), share => shares.push(share))

  assert.deepEqual(come, stored)
  assert.deepEqual(relay.asked, ['GET', 'GET bytes=10000-', 'GET bytes=10001-', 'GET bytes=30001-'])
  assert.equal(shares.at(-1), 1)
  assert.equal(moved.down, 60_000 + 4 * 400)
})

test('a slow line on which something moves is not dead', async () => {
  const { relay, way, waited } = await set({ slowMs: 150 })
  const { stored } = await file(40_000)
  relay.put(NAME, stored)

  assert.deepEqual(await download({ ...way, silenceMs: 1_000 }, blobPath(NAME), new Part(40_000)), stored)
  assert.deepEqual([relay.asked, waited], [['GET'], []])
})

test('what a silent line brought is kept, and goes on later from there', async () => {
  const { relay, way, waited } = await set({ silentAfter: 10_000 }, { silentAfter: 0 })
  const { stored } = await file(30_000)
  relay.put(NAME, stored)
  const part = new Part(30_000)

  assert.deepEqual(await download({ ...way, silenceMs: 400 }, blobPath(NAME), part), stored)
  assert.deepEqual(relay.asked, ['GET', 'GET bytes=10000-', 'GET bytes=10000-'])
  assert.equal(waited.length, 2)

  const later = new Part(30_000)
  relay.fates = [{ cutAfter: 5_000 }, ...Array.from({ length: 9 }, () => ({ cutAfter: 0 }))]
  await assert.rejects(download(way, blobPath(NAME), later), stopped('later'))
  assert.equal(later.have, 5_000)
  relay.fates = []
  assert.deepEqual(await download(way, blobPath(NAME), later), stored)
})

test('a relay that gives all of it, or another range, or too much is understood', async () => {
  const { stored } = await file(30_000)
  for (const answer of [{ status: 206, headers: { 'Content-Range': 'bytes 7-29999/30000' } }, { status: 206 }]) {
    const { relay, way, waited } = await set({ cutAfter: 10_000 }, { answer })
    relay.put(NAME, stored)
    assert.deepEqual(await download(way, blobPath(NAME), new Part(30_000)), stored)
    assert.equal(waited.length, 2)
  }
  const { relay, way } = await set()
  relay.put(NAME, stored)
  assert.deepEqual(await download(way, blobPath(NAME), new Part(20_000)), stored.slice(0, 20_000))
  const [part, all] = [new Part(30_000), { status: 200 }]
  part.have = 100
  relay.fates = [{ answer: all }]
  assert.deepEqual(await download(way, blobPath(NAME), part), stored)
})

test('what is gone, or was fetched too often, is told', async () => {
  const { way } = await set()
  await assert.rejects(download(way, '/1/v/none', new Part(5)), stopped('gone'))
  for (const status of [416, 507]) {
    const other = await set({ answer: { status } })
    await assert.rejects(download(other.way, '/1/v/none', new Part(5)), stopped('refused'))
  }
})
