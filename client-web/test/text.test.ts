import assert from 'node:assert/strict'
import { test } from 'node:test'

import { encode, type Cbor } from '../src/codec.ts'
import { BadText, decodeText, encodeText, type Text, type Voice } from '../src/proto/text.ts'
import { fromHex, toHex } from './files.ts'

const of = (byte: number, length: number) => new Uint8Array(length).fill(byte)

const VOICE: Voice = {
  blob: toHex(of(1, 12)),
  key: of(2, 32),
  size: 84_000,
  duration: 42_000,
  mediaType: 'audio/ogg; codecs=opus',
  hash: of(3, 32),
}

const TEXTS: readonly (readonly [Text, string])[] = [
  [{ kind: 1, writtenAt: 5, text: '家书' }, '83010566e5aeb6e4b9a6'],
  [
    { kind: 2, writtenAt: 5, voice: VOICE },
    `8801054c${'01'.repeat(12)}5820${'02'.repeat(32)}1a0001482019a410` +
      `76617564696f2f6f67673b20636f646563733d6f7075735820${'03'.repeat(32)}`,
  ],
  [{ kind: 3, writtenAt: 5, picture: 6 }, '83010506'],
  [{ kind: 4, writtenAt: 5, text: 'pills', every: 60_000, times: 5 }, '8501056570696c6c7319ea6005'],
  [{ kind: 5, writtenAt: -1, text: '' }, '83012060'],
]

test('a text is written to the byte, and reads back as its kind', () => {
  for (const [text, hex] of TEXTS) {
    assert.equal(toHex(encodeText(text)), hex)
    assert.deepEqual(decodeText(text.kind, fromHex(hex)), text)
  }
})

test('a text reads as no other kind, but that a letter and a name look alike', () => {
  for (const [text, hex] of TEXTS) {
    for (const kind of [0, 1, 2, 3, 4, 5, 6, 16]) {
      const isLike = kind === text.kind || (kind % 4 === 1 && text.kind % 4 === 1)
      if (!isLike) assert.throws(() => decodeText(kind, fromHex(hex)), BadText, `${hex} as ${kind}`)
    }
  }
})

test('what is not written in the one way is refused', () => {
  const hostile = [
    '', '80', '8301', '8401056161f6', '8401056161', '820105', '830205', '8302056161', '830105616100', '830118056161',
    '9f01056161ff', '83010562c328', '8301054161', '8301f66161', '83011b00200000000000006161', 'a0', '01',
  ]
  for (const hex of hostile) assert.throws(() => decodeText(1, fromHex(hex)), BadText, hex)
})

test('a picture is one of six', () => {
  for (const picture of [0, 7, -1, 2 ** 40]) {
    assert.throws(() => decodeText(3, encodeText({ kind: 3, writtenAt: 1, picture })), BadText, `${picture}`)
  }
})

test('a voice note out of bounds is refused', () => {
  const cases: readonly Partial<Voice>[] = [
    { size: 0 },
    { size: 1024 * 1024 + 1 },
    { duration: 0 },
    { duration: 600_001 },
    { mediaType: 'text/html' },
    { mediaType: 'audio/\u001b[2J' },
    { mediaType: 'audio/ogg\n' },
    { mediaType: `audio/${'x'.repeat(43)}` },
    { blob: toHex(of(1, 11)) },
    { key: of(2, 31) },
    { hash: of(2, 33) },
  ]
  const read = (voice: Voice): Text => decodeText(2, encodeText({ kind: 2, writtenAt: 1, voice }))
  for (const wrong of cases) assert.throws(() => read({ ...VOICE, ...wrong }), BadText, JSON.stringify(wrong))
  const most = { ...VOICE, size: 1024 * 1024, duration: 600_000, mediaType: `audio/${'x'.repeat(42)}` }
  assert.deepEqual(read(most), { kind: 2, writtenAt: 1, voice: most })
})

test('a reminder that would ring without end is refused', () => {
  const cases: readonly (readonly [number, number, boolean])[] = [
    [1_000, 1, true], [999, 1, false], [86_400_000, 100, true], [86_400_001, 1, false], [60_000, 101, false],
    [60_000, 0, false], [-1, 1, false],
  ]
  for (const [every, times, holds] of cases) {
    const bytes = encode([1, 5, 'pills', every, times] satisfies Cbor)
    if (holds) assert.deepEqual(decodeText(4, bytes), { kind: 4, writtenAt: 5, text: 'pills', every, times })
    else assert.throws(() => decodeText(4, bytes), BadText, `${every} ms, ${times} times`)
  }
})

test('damaged texts are refused, or others, and nothing else', () => {
  for (const [text, hex] of TEXTS) {
    const whole = fromHex(hex)
    for (let at = 0; at < whole.length; at++) {
      for (let byte = 0; byte < 256; byte++) {
        const bytes = whole.slice()
        bytes[at] = byte
        try {
          assert.equal(toHex(encodeText(decodeText(text.kind, bytes))), toHex(bytes))
        } catch (error) {
          assert.ok(error instanceof BadText, `${toHex(bytes)}: ${error}`)
        }
      }
    }
  }
})
