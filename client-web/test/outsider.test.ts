import assert from 'node:assert/strict'
import { test } from 'node:test'

import { ours } from '../src/languages.ts'
import { SAYINGS } from '../src/voice/saying.ts'

test('every language says everything, as plain text', () => {
  const keys = Object.keys(SAYINGS.en)
  assert.deepEqual(Object.keys(SAYINGS), ['en', 'it', 'lv', 'ro', 'zh-Hans'])
  for (const [language, saying] of Object.entries(SAYINGS)) {
    assert.deepEqual(Object.keys(saying), keys, language)
    for (const text of Object.values(saying)) assert.match(text, /^[^<>{}]+$/, language)
  }
})

test('a person reads the first of their languages that we have', () => {
  assert.equal(ours(['de-CH', 'it-CH', 'ro']), 'it')
  assert.equal(ours(['zh-CN']), 'zh-Hans')
  assert.equal(ours(['zh-Hant-TW', 'en']), 'zh-Hans')
  assert.equal(ours(['LV']), 'lv')
  assert.equal(ours(['de', '']), 'en')
  assert.equal(ours([]), 'en')
})
