import assert from 'node:assert/strict'
import { test } from 'node:test'

import { toHex } from '../src/bytes.ts'
import type { Recorded } from '../src/model.ts'
import { Refusal } from '../src/proto/frame.ts'
import { random } from '../src/seal/primitive.ts'
import { openVoice } from '../src/seal/voice.ts'
import { bring, sealRecorded } from '../src/voice/queue.ts'
import type { Upload } from '../src/voice/transfer.ts'
import { set, stopped } from './blobs.ts'
import './files.ts'

const SOUND = random(40_000)

function recorded(): Recorded {
  return { blob: new Blob([SOUND]), duration: 20_000, mediaType: 'audio/webm;codecs=opus' }
}

async function file(): Promise<Upload> {
  const { voice, stored } = await sealRecorded(recorded(), toHex(random(12)))
  return { blob: voice.blob, stored, hash: voice.hash, begun: false }
}

test('a recording is sealed for the disk, with what opens it', async () => {
  const { voice, stored } = await sealRecorded(recorded(), '00'.repeat(12))

  assert.deepEqual(await openVoice(voice.key, voice.size, voice.hash, stored), SOUND)
  assert.deepEqual([voice.size, voice.duration, voice.mediaType], [40_000, 20_000, 'audio/webm;codecs=opus'])
})

test('a file is brought whole, and how much of it is told', async () => {
  const { relay, way } = await set()
  const [upload, shares] = [await file(), [] as number[]]

  assert.equal(await bring(way, upload, share => shares.push(share)), null)

  assert.deepEqual([...relay.stored.keys()], [upload.blob])
  assert.equal(shares.at(-1), 1)
})

test('a tab that dies while it sends goes on where it was', async () => {
  const { relay, way } = await set({ method: 'PATCH', answer: { status: 403 } })
  const upload = await file()

  await assert.rejects(bring(way, upload), stopped('later'))
  assert.equal(await bring(way, { ...upload, begun: true }), null)

  assert.equal(relay.received, 40_000 + 3 * 16)
})

test('what the relay will never take is told by the code that what names it ends with', async () => {
  const { TOO_LARGE, FULL, EXISTS, MALFORMED } = Refusal
  for (const [status, code] of [[413, TOO_LARGE], [507, FULL], [409, EXISTS], [422, MALFORMED]] as const) {
    const { relay, way } = await set({ answer: { status, body: '{"code":"exists"}' } })

    assert.equal(await bring(way, await file()), code)

    assert.equal(relay.stored.size, 0)
  }
})

test('who is not let in, or cannot reach the relay, keeps it', async () => {
  for (const [status, why] of [[401, 'unauthorised'], [403, 'later']] as const) {
    const { way } = await set({ answer: { status } })

    await assert.rejects(bring(way, await file()), stopped(why))
  }
})
