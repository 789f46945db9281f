import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { Bytes } from '../src/bytes.ts'
import { NotCbor, decode, encode, type Cbor } from '../src/codec.ts'
import {
  decodeContent, encodeContent, factKey,
  type Consent, type Content, type LogEntry, type Message, type Rule,
} from '../src/proto/entry.ts'
import { decodeFrames, encodeFrame, type ClientFrame, type RelayFrame } from '../src/proto/frame.ts'
import { fromHex, toHex, vectors } from './files.ts'

// What the golden bytes are made from: proto/src/golden.rs.

const GOLDEN: Record<string, string> = vectors('frames.json')
const AT = 1_795_500_000_000

const of = (byte: number, length: number): Bytes => new Uint8Array(length).fill(byte)
const ref = (byte: number): string => toHex(of(byte, 12))

const RULE: Rule = {
  start: '2027-03-28T19:30:00', zone: 'Asia/Shanghai', rrule: 'FREQ=WEEKLY;BYDAY=SU,WE', also: [], except: [],
}
const MORE_DATES: Rule = { ...RULE, also: ['2027-04-01T18:00:00'], except: ['2027-04-04T19:30:00'] }
const TOKEN = fromHex(`ffffffffffffffff00000002${'09'.repeat(16)}`)
const POST = {
  type: 'post', n: 1, ref: ref(1), epoch: 4, from: 1, to: [], kind: 1, sealed: of(0xaa, 20), key: null, until: null,
  blob: null,
} as const
const HOLD = {
  type: 'hold', n: 3, ref: ref(1), epoch: 5, from: 1, to: [2, 3], kind: 1, sealed: of(0xbb, 20), schedule: ref(3),
  validFor: null, blob: null, again: null, replaces: null,
} as const
const PLAN = {
  type: 'plan', n: 4, ref: ref(3), from: 1, to: [2, 3], rule: RULE, state: 1, schedule: null, bank: false, seen: null,
} as const
const CARD = { invite: 1, codeHash: of(7, 32), blob: fromHex('010203') }

const SAID: Record<string, ClientFrame> = {
  'hello, first': { type: 'hello', token: TOKEN, cursor: null, cursorsAt: null },
  'hello, lane 3': {
    type: 'hello', token: TOKEN, cursor: { generation: 5, seq: 300, tag: 0xdead_beef }, cursorsAt: AT,
  },
  'post': POST,
  'post, a fact for some with an end': { ...POST, to: [2, 3], key: 'name/2', until: AT, blob: ref(8) },
  'ack': { type: 'ack', seq: 301, tag: 17 },
  'report': { type: 'report', n: 2, ref: ref(1), from: 1, of: ref(2), to: 2, rung: 4, at: AT, share: null },
  'hold': { ...HOLD, epoch: 4, validFor: 7_200_000 },
  'hold, sealed again': { ...HOLD, again: ref(4) },
  'hold, in the place of another': { ...HOLD, replaces: ref(5) },
  'plan': PLAN,
  'plan, a change of a letter bank with more dates and fewer': {
    ...PLAN, ref: ref(6), rule: MORE_DATES, state: 4, schedule: ref(3), bank: true, seen: 2,
  },
  'preview': { type: 'preview', rule: RULE, zones: ['Asia/Shanghai', 'Europe/Rome'], count: 8, after: AT },
  'give back': { type: 'giveBack', schedule: ref(3), after: ref(5) },
  'turn': { type: 'turn', n: 5, ref: ref(1), link: of(1, 1), wraps: of(2, 1), cards: [CARD] },
  'look': { type: 'look', scope: 7n, code: of(4, 16) },
  'join': { type: 'join', scope: 7n, code: of(4, 16), link: of(1, 1), wraps: of(2, 1) },
  'beat': { type: 'beat' },
  'intend': { type: 'intend', n: 9, ref: ref(8), from: 1, rules: [{ rule: RULE, toleranceMinutes: 720 }], seen: 300 },
  'withdraw': { type: 'withdraw', n: 10, ref: ref(9), from: 2, of: [3], what: 2, on: '2027-01-31' },
  'ask_for_help': { type: 'help', n: 11, ref: ref(9), from: 3 },
  'reach': { type: 'reach', n: 12, ref: ref(9), from: 1, email: 'ana@example.org' },
  'reach_no_more': { type: 'reach', n: 13, ref: ref(9), from: 1, email: null },
  'leave': { type: 'leave', n: 14, ref: ref(9), from: 1, what: 1 },
  'request': {
    type: 'request', scope: 7n, code: of(4, 16), signPub: of(5, 65), hpkePub: of(6, 65), codeHash: of(7, 32),
  },
  'hand in': { type: 'handIn', scope: 7n, links: [of(2, 1), of(3, 1)], wraps: of(4, 1) },
}

const MESSAGE: Message = {
  type: 'message', kind: 1, device: 1, from: 1, ref: ref(1), epoch: 4, to: [], sealed: of(0xaa, 20), key: null,
  until: null, blob: null, fired: null,
}
const CONSENT: Consent = {
  type: 'consent', member: 3, consentOn: '2026-11-01', assentOn: '2026-11-02', countingOn: null, countingAssentOn: null,
  withdrawnOn: null, countingWithdrawnOn: null, terms: null, countingTerms: null, guardianWithdrawnOn: null,
  countingGuardianWithdrawnOn: null, bornIn: null, ownWordAge: null,
}
const TERMS = { version: 3, language: 'ro', how: 2, witnessed: true, until: '2027-11-01' }
const INTENDED = [{ rule: RULE, toleranceMinutes: null }, { rule: RULE, toleranceMinutes: 720 }]

const OF_EVERY_KIND: readonly Content[] = [
  MESSAGE,
  {
    ...MESSAGE, kind: 4, to: [3], until: AT + 1,
    fired: {
      bodyRef: ref(2), schedule: ref(3), planned: '2027-03-28T02:30:00', dueAt: AT, adjust: 1, validFor: 1, version: 2,
    },
  },
  { type: 'link', link: fromHex('0102') },
  { type: 'wraps', number: 2, wraps: of(3, 1) },
  { type: 'receipt', device: 2, from: 3, of: ref(1), to: 1, rung: 2, at: AT, share: null },
  { type: 'schedule', id: ref(3), device: 1, from: 1, to: [3], rule: RULE, state: 1, bank: true, version: 2 },
  { type: 'member', member: 3, zone: 'Asia/Shanghai', language: 'zh-Hans' },
  CONSENT,
  {
    type: 'notice', to: 1, what: 3, schedule: ref(3), planned: '2027-03-28T19:30:00', dueAt: AT, of: null, members: [],
    left: 2,
  },
  { type: 'tombstone', from: 1, ref: ref(1), to: [3], until: AT, dueAt: null },
]
const OF_CONTACT: readonly Content[] = [
  { ...CONSENT, countingOn: '2026-11-01', countingAssentOn: '2026-11-02' },
  { ...CONSENT, countingWithdrawnOn: '2027-01-31' },
  { type: 'plan', by: 1, rules: INTENDED },
  { type: 'proposal', staff: 1, rules: INTENDED },
  { type: 'pause', number: 1, first: '2027-02-01', last: '2027-02-20', reason: 1, staff: 1, withdrawn: false },
  { type: 'placement', programme: 7n, caseCode: 'GS-001', site: 'tianshui', since: AT, care: null },
  { type: 'nudge', child: 3, whom: 2 },
  {
    type: 'suspension',
    member: 1,
    times: [{ from: AT, until: AT + 1, reason: 1, staff: 1 }, { from: AT + 2, until: null, reason: 3, staff: 2 }],
  },
]
const REQUEST: Content = {
  type: 'request', members: [2, 3], signPub: of(5, 65), hpkePub: of(6, 65), codeHash: of(7, 32), expiresAt: AT,
}
const OWN_WORD: Content = {
  ...CONSENT,
  guardianWithdrawnOn: '2026-11-03',
  countingGuardianWithdrawnOn: '2026-11-04',
  bornIn: '2011-05',
  ownWordAge: 14,
}
const CARED_FOR: Content = { type: 'placement', programme: 7n, caseCode: 'GS-001', site: null, since: AT, care: 6 }
const LEAVING: Content = { type: 'leaving', by: 1, until: AT, agreed: [1] }

const page = (after: number, upto: number, entries: readonly LogEntry[]): RelayFrame =>
  ({ type: 'entries', after, upto, tag: 17, floor: 0, entries })
const alone = (content: Content): RelayFrame => page(0, 1, [{ seq: 1, at: AT, content }])

const TO_CLOSE = { devices: [2], invites: [3, 4] }
const REFUSED = { type: 'refused', n: 1, retryAfter: null, lastN: null, toClose: null } as const

const HEARD: Record<string, RelayFrame> = {
  'welcome': { type: 'welcome', now: AT, lastN: 41, generation: 5, restart: false },
  'welcome, another log': { type: 'welcome', now: AT, lastN: 0, generation: 6, restart: true },
  'entries of every kind': page(300, 400, OF_EVERY_KIND.map((content, at) => (
    { seq: 300 + (at + 1) ** 2, at: AT - 5 * (at + 1), content }
  ))),
  'entries of contact': page(0, 8, OF_CONTACT.map((content, at) => ({ seq: at + 1, at: AT, content }))),
  'entries, a request': alone(REQUEST),
  'entries, consent by a text': alone({ ...CONSENT, terms: TERMS, countingTerms: TERMS }),
  "entries, consent by a child's own word": alone(OWN_WORD),
  'entries, who looks after the children': alone(CARED_FOR),
  'entries, a family leaves': alone(LEAVING),
  'posted': { type: 'posted', n: 1, ref: ref(1), seq: 301, at: AT },
  'refused, renumber': { ...REFUSED, code: 8, text: 'the next n is 42', lastN: 41 },
  'refused, turn first': { ...REFUSED, code: 19, text: 'close these first', toClose: TO_CLOSE },
  'cursors': { type: 'cursors', reached: [{ device: 2, seq: 301, at: AT }] },
  'invited': {
    type: 'invited', invite: 1, blob: of(1, 1), links: [of(2, 1), of(3, 1)], wraps: of(4, 1), expiresAt: AT,
  },
  'joined': { type: 'joined', device: 2, seq: 9 },
  'staffed': { type: 'unknown', kind: 26 },
  'enrolled': { type: 'unknown', kind: 27 },
  'requested': { type: 'requested', firstLink: of(8, 32), members: [2, 3], expiresAt: AT },
  'handed in': { type: 'handedIn', epoch: 9 },
  'beaten': { type: 'beaten', now: AT },
}

/** What a phone neither writes nor reads. */
const OF_STAFF = [
  'setup', 'enrol', 'enrol, a new chain', 'enrol at a site', 'enrol, children with their grandparents', 'void',
  'reissue', 'record consent',
]

const lane = (name: string): number => name === 'hello, lane 3' || name === 'welcome, another log' ? 3 : 0
const golden = (name: string): Bytes => fromHex(GOLDEN[name] ?? '')
const only = (bytes: Bytes): RelayFrame => decodeFrames(bytes)[0]?.frame ?? assert.fail('no frame')
const contents = (): Content[] =>
  Object.values(HEARD).flatMap(frame => frame.type === 'entries' ? frame.entries.map(entry => entry.content) : [])

test('every golden frame is of a phone, or of staff', () => {
  assert.deepEqual([...Object.keys(SAID), ...Object.keys(HEARD), ...OF_STAFF].sort(), Object.keys(GOLDEN).sort())
})

test('what a phone says has its golden bytes', () => {
  for (const [name, frame] of Object.entries(SAID)) {
    assert.equal(toHex(encodeFrame(frame, lane(name))), GOLDEN[name], name)
  }
})

test('what the relay says is read from its golden bytes', () => {
  for (const [name, frame] of Object.entries(HEARD)) {
    assert.deepEqual(decodeFrames(golden(name)), [{ lane: lane(name), frame }], name)
  }
})

test('what is absent is left out at the end of a frame, and written before something that is there', () => {
  const frame: ClientFrame = { ...PLAN, rule: { ...MORE_DATES, rrule: null, also: [] }, schedule: ref(3), seen: 0 }

  const [, body] = decode(encodeFrame(frame)) as Cbor[]

  const rule = [RULE.start, RULE.zone, null, [], MORE_DATES.except]
  assert.deepEqual(body, [4, fromHex(ref(3)), 1, [2, 3], rule, 1, fromHex(ref(3)), false, 0])
})

test('frames stand one after the other', () => {
  const both = decodeFrames(fromHex(`${GOLDEN['posted']}${GOLDEN['beaten']}`))

  assert.deepEqual(both.map(({ frame }) => frame.type), ['posted', 'beaten'])
  assert.deepEqual(decodeFrames(fromHex('')), [])
})

test('an entry is written again byte for byte, read from a frame or made here', () => {
  const frames = Object.keys(HEARD).filter(name => name.startsWith('entries'))
  const wire = frames.flatMap(name => (decode(golden(name)) as Cbor[][][][])[1]?.[4] ?? []) as Cbor[][]
  assert.equal(wire.length, contents().length)

  wire.forEach(([, , kind, body], at) => {
    const bytes = toHex(encode([kind ?? null, body ?? null]))
    const read = decodeContent(kind as number, body ?? null)
    assert.deepEqual(read, contents()[at])
    assert.equal(toHex(encodeContent(read)), bytes)
    assert.equal(toHex(encodeContent({ ...read })), bytes)
  })
})

test('previews, and bodies that are given back, are read', () => {
  const bodies = [of(1, 3), of(2, 3)]
  const [rome, shanghai] = ['2027-03-28T13:30:00+02:00', '2027-03-28T19:30:00+08:00']

  const givenBack = only(encode([31, [fromHex(ref(3)), bodies, true]]))
  const previewed = only(encode([30, [[[AT, RULE.start, null, [[rome, true], [shanghai]]]]]]))

  assert.deepEqual(givenBack, { type: 'givenBack', schedule: ref(3), bodies, more: true })
  const clocks = [{ local: rome, shifts: true }, { local: shanghai, shifts: false }]
  assert.deepEqual(previewed, {
    type: 'previewed', occurrences: [{ at: AT, planned: RULE.start, adjust: null, clocks }],
  })
})

test("a newer relay's kinds, fields and codes break nothing", () => {
  assert.deepEqual(only(encode([999, 'whatever', 0, 'more'])), { type: 'unknown', kind: 999 })
  assert.deepEqual(only(encode([21, [AT, 'more']])), { type: 'beaten', now: AT })
  assert.deepEqual(only(encode([19, [99, 'new', null]])), { ...REFUSED, code: 99, text: 'new', n: null })
  assert.deepEqual(decodeContent(200, [1, 'a']), { type: 'unknown', kind: 200, body: [1, 'a'] })

  const nudge: Cbor = [3, 2, 'more']
  assert.deepEqual(decodeContent(30, nudge), { type: 'nudge', child: 3, whom: 2 })
  assert.deepEqual(decode(encodeContent(decodeContent(30, nudge))), [30, nudge])
})

test('a frame that does not read is no frame', () => {
  const hostile: readonly Cbor[] = [
    [],
    [21],
    [21, []],
    [21, 5],
    [21, ['now']],
    [21, [2n ** 60n]],
    [21, [AT], 256],
    [18, [1, of(1, 11), 0, AT]],
    [18, [-1, of(1, 12), 0, AT]],
    [16, [AT, 0, 2 ** 32]],
    [25, [1]],
    [20, [Array(513).fill([1, 1, 1])]],
    [24, [1, of(1, 1), Array(32_769).fill(of(1, 1)), null, AT]],
    [28, [of(8, 32), [3, 2], AT]],
    [17, [0, 1, 0, 0]],
    [17, [0, 1, 0, 0, [[0, AT, 200, 0]]]],
    [17, [0, 1, 0, 0, [[2, AT, 200, 0]]]],
    [17, [5, 4, 0, 0, []]],
    [17, [0, 2, 0, 0, [[1, Number.MAX_SAFE_INTEGER, 200, 0], [1, 1, 200, 0]]]],
    [17, [0, 600, 0, 0, Array(513).fill([1, 0, 200, 0])]],
  ]
  hostile.forEach((frame, at) => assert.throws(() => decodeFrames(encode(frame)), NotCbor, `the frame at ${at}`))
  assert.throws(() => decodeFrames(golden('invited').slice(0, -1)), NotCbor)
  assert.throws(() => decodeFrames(fromHex(`9a00020000${'80'.repeat(2 ** 17)}`)), NotCbor)
})

test('an entry that does not read stays as it came, and the others are read', () => {
  const receipt = (at: Cbor, share: Cbor): Cbor => [2, 3, of(1, 12), 1, 3, at, share]
  const bodies: readonly (readonly [number, Cbor])[] = [
    [18, receipt(2n ** 62n, null)],
    [18, receipt(AT, 101)],
    [1, [1, 1, of(1, 12), 4, [3, 2], of(0xaa, 20)]],
    [1, [1, 1, of(1, 12), 4, [3, 3], of(0xaa, 20)]],
    [22, [[2], of(5, 64), of(6, 65), of(7, 32), AT]],
    [19, [of(3, 12), 1, 1, [], [RULE.start, RULE.zone], 5]],
    [30, 'nudge'],
  ]

  const steps = [...bodies, [30, [3, 1]] as const].map(([kind, body]) => [1, 1, kind, body])
  const frame = only(encode([17, [0, 20, 0, 0, steps]]))

  assert.ok(frame.type === 'entries')
  assert.deepEqual(frame.entries.map(entry => entry.content), [
    ...bodies.map(([kind, body]) => ({ type: 'unknown', kind, body })),
    { type: 'nudge', child: 3, whom: 1 },
  ])
  for (const [kind, body] of bodies) assert.throws(() => decodeContent(kind, body), NotCbor)
})

test('facts have their keys', () => {
  const keys = [...OF_EVERY_KIND, ...OF_CONTACT, REQUEST, LEAVING].map(factKey)

  assert.deepEqual(keys, [
    null, null, null, 'wraps', `receipt/${ref(1)}/3`, `schedule/${ref(3)}`, 'member/3', 'consent/3', null, null,
    'consent/3', 'consent/3', 'plan', 'plan/proposed', 'pause/000001', 'placement', 'nudge/3', 'suspension/1',
    `request/${'07'.repeat(16)}`, 'leaving',
  ])
  assert.equal(factKey({ ...MESSAGE, kind: 5, key: 'name/2' }), 'name/2')
  assert.equal(factKey({ type: 'unknown', kind: 200, body: null }), null)
  assert.equal(factKey({ type: 'link', link: encode([encode([1, 12, of(0, 32)]), of(0, 64)]) }), 'link/0000000012')
})

test('damaged bytes are no frame, or another one, and nothing else', () => {
  const whole = Object.keys(HEARD).map(golden)
  let state = 1
  // A small generator, so that a failure can be had again.
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor(state / 2 ** 32 * below)
  }
  for (let round = 0; round < 20_000; round++) {
    const bytes = (whole[random(whole.length)] ?? of(0, 1)).slice()
    for (let change = random(3); change >= 0; change--) bytes[random(bytes.length)] = random(256)
    const cut = random(4) === 0 ? bytes.slice(0, random(bytes.length)) : bytes
    try {
      for (const { frame } of decodeFrames(cut)) {
        if (frame.type !== 'entries') continue
        frame.entries.forEach(({ content }) => [factKey(content), encodeContent({ ...content })])
      }
    } catch (error) {
      assert.ok(error instanceof NotCbor, `${toHex(cut)}: ${error}`)
    }
  }
})
