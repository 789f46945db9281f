import assert from 'node:assert/strict'
import { test } from 'node:test'

import { NotCbor, decode, decodeAll, encode, record, type Cbor } from '../src/codec.ts'
import { fromHex, toHex, vectors } from './files.ts'

const CASES: readonly (readonly [Cbor, string])[] = [
  [0, '00'],
  [23, '17'],
  [24, '1818'],
  [255, '18ff'],
  [256, '190100'],
  [65_536, '1a00010000'],
  [0xffff_ffff, '1affffffff'],
  [0x1_0000_0000, '1b0000000100000000'],
  [1_800_000_000_000, '1b000001a3185c5000'],
  [Number.MAX_SAFE_INTEGER, '1b001fffffffffffff'],
  [2n ** 53n, '1b0020000000000000'],
  [0xffff_ffff_ffff_ffffn, '1bffffffffffffffff'],
  [-1, '20'],
  [-500, '3901f3'],
  [-(2n ** 53n), '3b001fffffffffffff'],
  [-0x1_0000_0000_0000_0000n, '3bffffffffffffffff'],
  [null, 'f6'],
  [true, 'f5'],
  [false, 'f4'],
  ['', '60'],
  ['家书', '66e5aeb6e4b9a6'],
  [Uint8Array.of(1, 2), '420102'],
  [[], '80'],
  [[1, [null, 'a']], '820182f66161'],
]

test('values are written in their shortest form, and read back', () => {
  for (const [value, hex] of CASES) {
    assert.equal(toHex(encode(value)), hex)
    assert.deepEqual(decode(fromHex(hex)), value)
  }
})

test('what is no number of 64 bits is not written', () => {
  for (const value of [0.5, NaN, Infinity, 2n ** 64n, -(2n ** 64n) - 1n]) assert.throws(() => encode(value), RangeError)
})

test('what is absent at the end of a record is not written', () => {
  assert.deepEqual(record(1, null, 'a', null, null), [1, null, 'a'])
})

test('what is not deterministic, or not ours, is refused', () => {
  const hostile = [
    '', '1817', '190017', '1a0000ffff', '1b00000000ffffffff', '5f41014100ff', '9f01ff', 'a10102', 'c001', '3817', 'f7',
    'f97e00', '0000', '62c328', '42', '8201', '9b7fffffffffffffff', '5b7fffffffffffffff', '81'.repeat(64), 'ff',
  ]
  for (const hex of hostile) assert.throws(() => decode(fromHex(hex)), NotCbor, hex)
})

test('no frame is changed by reading and writing it', () => {
  for (const [name, bytes] of Object.entries<string>(vectors('frames.json'))) {
    const again = decodeAll(fromHex(bytes)).map(encode)

    assert.equal(again.map(toHex).join(''), bytes, name)
  }
})
