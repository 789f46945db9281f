import assert from 'node:assert/strict'
import { test } from 'node:test'

import { concat } from '../src/bytes.ts'
import { encode, type Cbor } from '../src/codec.ts'
import type { Drawn } from '../src/enrol/draw.ts'
import { NotSent, SignedOut, read, send, type Answer } from '../src/enrol/send.ts'

const [NOT_ALLOWED, SLOW_DOWN, UNAVAILABLE] = [9, 11, 12]

function family(caseCode: string, length = 100): Drawn {
  return { caseCode, scope: 7n, frame: concat(encode(caseCode), new Uint8Array(length)), cards: [] }
}

const enrolled = (caseCode: string): Cbor => [27, [caseCode, 7, true]]
const refused = (code: number): Cbor => [19, [code, 'no', null, 5]]

type Reply = readonly Cbor[] | Error | Response

/** Answers each request with the next reply, and remembers how many families were in it. */
function relay(replies: readonly Reply[]) {
  const asked: number[] = []
  const waited: number[] = []
  const left = [...replies]
  const answer: typeof fetch = (_, init) => {
    asked.push((init?.body as Uint8Array).byteLength)
    const reply = left.shift() ?? new Error('asked too often')
    if (reply instanceof Error) return Promise.reject(reply)
    if (reply instanceof Response) return Promise.resolve(reply)
    return Promise.resolve(new Response(concat(...reply.map(encode))))
  }
  const wait = (ms: number) => {
    waited.push(ms)
    return Promise.resolve()
  }
  return { asked, waited, door: { url: '/staff/enrol', csrf: 'x', fetch: answer, wait } }
}

async function sent(door: Parameters<typeof send>[0], families: readonly Drawn[]) {
  const done: [string, Answer][] = []
  await send(door, families, (family, answer) => done.push([family.caseCode, answer]))
  return done.map(([caseCode, answer]) => `${caseCode}: ${'code' in answer ? answer.code : answer.caseCode}`)
}

test('each family gets its own answer', async () => {
  const { door } = relay([[enrolled('A'), refused(NOT_ALLOWED), enrolled('C')]])

  assert.deepEqual(await sent(door, ['A', 'B', 'C'].map(code => family(code))), ['A: A', 'B: 9', 'C: C'])
})

test('many go in several requests, of bounded number and length', async () => {
  const codes = Array.from({ length: 20 }, (_, at) => `F${at}`)
  const { door, asked } = relay([codes.slice(0, 16).map(enrolled), codes.slice(16).map(enrolled)])
  const large = relay([[enrolled('A')], [enrolled('B')]])

  assert.equal((await sent(door, codes.map(code => family(code)))).length, 20)
  assert.equal(asked.length, 2)
  await sent(large.door, [family('A', 200_000), family('B', 200_000)])
  assert.equal(large.asked.length, 2)
})

test('after a lost answer the same bytes go again', async () => {
  const { door, asked, waited } = relay([new TypeError('lost'), [enrolled('A')]])

  assert.deepEqual(await sent(door, [family('A')]), ['A: A'])
  assert.equal(asked[0], asked[1])
  assert.equal(waited.length, 1)
})

test('who is asked to wait waits, and those behind with it', async () => {
  const { door, waited } = relay([[enrolled('A'), refused(SLOW_DOWN), enrolled('C')], [enrolled('B'), enrolled('C')]])

  assert.deepEqual(await sent(door, ['A', 'B', 'C'].map(code => family(code))), ['A: A', 'B: B', 'C: C'])
  assert.deepEqual(waited, [5])
})

test('a relay that always asks to wait is given up', async () => {
  const { door } = relay(Array.from({ length: 5 }, () => [refused(SLOW_DOWN)]))

  assert.deepEqual(await sent(door, [family('A')]), ['A: 11'])
})

test('after a family was given up, the next has all its tries', async () => {
  const [first, last] = [Array.from({ length: 16 }, (_, at) => `F${at}`), 'G']
  const { door, waited } = relay([
    ...Array.from({ length: 5 }, () => first.map(() => refused(UNAVAILABLE))),
    new TypeError('lost'),
    [refused(UNAVAILABLE)],
    [enrolled(last)],
  ])

  const done = await sent(door, [...first, last].map(code => family(code)))

  assert.deepEqual(done, [...first.map(code => `${code}: 12`), 'G: G'])
  assert.equal(waited.length, 4 + 2)
})

test('a relay that is away is given up, and a session that is over is told', async () => {
  const away = relay(Array.from({ length: 5 }, () => new TypeError('away')))
  const out = relay([new Response(null, { status: 401 })])
  const short = relay(Array.from({ length: 5 }, () => [enrolled('A')]))

  await assert.rejects(sent(away.door, [family('A')]), NotSent)
  await assert.rejects(sent(out.door, [family('A')]), SignedOut)
  await assert.rejects(sent(short.door, [family('A'), family('B')]), NotSent)
})

test('a relay that has no place says when to come again, and one that understands nothing is not asked again', async () => {
  const busy = relay([new Response(null, { status: 429, headers: { 'Retry-After': '7' } }), [enrolled('A')]])
  const lost = relay([new Response(null, { status: 400 })])

  assert.deepEqual(await sent(busy.door, [family('A')]), ['A: A'])
  assert.deepEqual(busy.waited, [7000])
  await assert.rejects(sent(lost.door, [family('A')]), /the relay answered 400/)
  assert.equal(lost.asked.length, 1)
})

test('an answer is read strictly, and what a newer relay adds is passed over', () => {
  const newer = encode([27, ['A', 7, true, 'more'], 0])

  assert.deepEqual(read(newer), [{ caseCode: 'A', scope: 7n, active: true }])
  for (const bad of [[27, ['A', 7]], [27, [1, 7, true]], [19, ['x', 'no']], [16, []], 7, [27]]) {
    assert.throws(() => read(encode(bad)), NotSent)
  }
  assert.throws(() => read(Uint8Array.of(0x82, 0x10)), NotSent)
})
