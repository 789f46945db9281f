import assert from 'node:assert/strict'
import { test } from 'node:test'

import { toHex } from '../src/bytes.ts'
import type { Recorded } from '../src/model.ts'
import { Refusal } from '../src/proto/frame.ts'
import { random } from '../src/seal/primitive.ts'
import { openVoice } from '../src/seal/voice.ts'
import { Sender, sealRecorded, type Uploads } from '../src/voice/queue.ts'
import type { Upload } from '../src/voice/transfer.ts'
import { set, stopped } from './blobs.ts'
import './files.ts'

const SOUND = random(40_000)

function recorded(): Recorded {
  return { blob: new Blob([SOUND]), duration: 20_000, mediaType: 'audio/webm;codecs=opus' }
}

/** A phone with so many voice notes that wait, and what happens to them. */
async function phone(count: number) {
  const waiting = new Map<string, Upload>()
  const told: string[] = []
  for (let at = 0; at < count; at++) {
    const { voice, stored } = await sealRecorded(recorded(), toHex(random(12)))
    waiting.set(voice.blob, { blob: voice.blob, stored, hash: voice.hash, begun: false })
  }
  const uploads: Uploads = {
    pending: () => [...waiting.values()],
    begun: blob => {
      waiting.set(blob, { ...(waiting.get(blob) as Upload), begun: true })
      return Promise.resolve(void told.push('begun'))
    },
    done: blob => Promise.resolve(void (waiting.delete(blob), told.push('done'))),
    refused: (blob, code) => Promise.resolve(void (waiting.delete(blob), told.push(`refused ${code}`))),
  }
  return { uploads, told, waiting }
}

test('a recording is sealed for the disk, with what opens it', async () => {
  const { voice, stored } = await sealRecorded(recorded(), '00'.repeat(12))

  assert.deepEqual(await openVoice(voice.key, voice.size, voice.hash, stored), SOUND)
  assert.deepEqual([voice.size, voice.duration, voice.mediaType], [40_000, 20_000, 'audio/webm;codecs=opus'])
})

test('what waits goes, in its order, and is told of before anything is sent', async () => {
  const { relay, way } = await set()
  const { uploads, told, waiting } = await phone(2)
  const names = [...waiting.keys()]
  const shares: [string, number][] = []

  await new Sender(uploads, (blob, share) => shares.push([blob, share])).send(way)

  assert.deepEqual(told, ['begun', 'done', 'begun', 'done'])
  assert.deepEqual([...relay.stored.keys()], names)
  assert.deepEqual(shares.filter(([, share]) => share === 1).map(([blob]) => blob), names)
})

test('asked again meanwhile, it sends once', async () => {
  const { relay, way } = await set()
  const { uploads, told } = await phone(1)
  const sender = new Sender(uploads)

  await Promise.all([sender.send(way), sender.send(way)])
  await sender.send(way)

  assert.equal(relay.received, 40_000 + 3 * 16)
  assert.deepEqual(told, ['begun', 'done'])
})

test('a tab that dies while it sends goes on where it was', async () => {
  const { relay, way } = await set({ method: 'PATCH', answer: { status: 403 } })
  const { uploads, told } = await phone(1)

  await assert.rejects(new Sender(uploads).send(way), stopped('later'))
  await new Sender(uploads).send(way)

  assert.equal(relay.received, 40_000 + 3 * 16)
  assert.deepEqual(told, ['begun', 'done'])
})

test('what the relay will never take goes out of the way, and says why', async () => {
  const { TOO_LARGE, FULL, EXISTS, MALFORMED } = Refusal
  for (const [status, code] of [[413, TOO_LARGE], [507, FULL], [409, EXISTS], [422, MALFORMED]] as const) {
    const { relay, way } = await set({ answer: { status, body: '{"code":"exists"}' } })
    const { uploads, told } = await phone(2)

    await new Sender(uploads).send(way)

    assert.deepEqual(told, ['begun', `refused ${code}`, 'begun', 'done'])
    assert.equal(relay.stored.size, 1)
  }
})

test('who is not let in, or cannot reach the relay, keeps all', async () => {
  for (const [status, why] of [[401, 'unauthorised'], [403, 'later']] as const) {
    const { way } = await set({ answer: { status } })
    const { uploads, waiting } = await phone(2)

    await assert.rejects(new Sender(uploads).send(way), stopped(why))

    assert.equal(waiting.size, 2)
  }
})
