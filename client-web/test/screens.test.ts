import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { test } from 'node:test'

import { ANIMALS, ANSWERS, ICONS } from '../src/screens/drawn.ts'
import { guard } from '../src/screens/guard.ts'
import { isQuiet } from '../src/screens/ring.ts'
import { isolated, shownName, shownText } from '../src/screens/shown.ts'
import { LANGUAGES, ours } from '../src/languages.ts'
import { civil, counted, day, length, localIn, speakIn, t } from '../src/screens/words.ts'

type Json = string | readonly Json[] | { readonly [key: string]: Json }

const SCREENS = new URL('../src/screens/', import.meta.url)
const sources = readdirSync(SCREENS).map(name => ({ name, text: readFileSync(new URL(name, SCREENS), 'utf8') }))

function words(file: string): Readonly<Record<string, Json>> {
  return JSON.parse(readFileSync(new URL(`../locale/phone/${file}.json`, import.meta.url), 'utf8'))
}

/** The path of each sentence, and what is filled into it. */
function shape(json: Json, path = ''): string[] {
  if (typeof json === 'string') return [`${path} ${[...new Set(json.match(/\{\w+\}/g))].sort().join()}`]
  return Object.entries(json).flatMap(([key, value]) => shape(value, `${path}.${key}`))
}

function sentences(json: Json): string[] {
  return typeof json === 'string' ? [json] : Object.values(json).flatMap(sentences)
}

test('all languages say the same things, each with its own plurals', () => {
  for (const part of ['', 'more-']) {
    const { counts: _, ...english } = words(`${part}en`)
    const counts = Object.keys(words(`${part}en`)['counts'] ?? {})
    for (const language of Object.keys(LANGUAGES)) {
      const { counts: forms, ...said } = words(part + language)
      const { pluralCategories } = new Intl.PluralRules(language).resolvedOptions()

      assert.deepEqual(shape(said), shape(english), language)
      assert.ok(sentences(said).every(it => it.trim() !== ''), language)
      const wanted = counts.map(count => [count, [...pluralCategories].sort().map(form => `.${form} {n}`)] as const)
      const found = Object.entries(forms ?? {}).map(([count, of]) => [count, shape(of).sort()] as const)
      assert.deepEqual(found, wanted, language)
    }
  }
})

test('every control and every screen has a label and a prompt to be spoken', () => {
  for (const language of Object.keys(LANGUAGES)) {
    for (const part of ['', 'more-']) {
      const { controls, screens } = words(part + language)
      for (const [name, said] of Object.entries({ ...(controls as object), ...(screens as object) })) {
        assert.ok(Array.isArray(said) && said.length === 2, `${language}: ${name}`)
        // A word alone does not say what a press does, except where it is chosen among its like.
        const isChoice = ['pinPicture', 'language'].includes(name)
        assert.ok(isChoice || said[1].length > said[0].length, `${language}: ${name}`)
      }
    }
  }
})

test('nothing that a person acts on is made but by Control and Field, with an icon and a prompt', () => {
  const bare = new RegExp([
    '<(a|button|input|textarea|select|option|details|summary|dialog|audio|video|form|label)\\b',
    '\\bonClick', '\\brole="(button|link|checkbox|switch)"', 'innerHTML', 'createElement\\(',
  ].join('|'))
  for (const { name, text } of sources) {
    if (name !== 'control.tsx') assert.doesNotMatch(text, bare, name)
    for (const [made] of text.matchAll(/<(Control|Field|Sure)\b[^]*?(?=\/>)/g)) {
      assert.match(made, /\bsay=/, `${name}: ${made}`)
      assert.match(made, /\bicon=/, `${name}: ${made}`)
    }
  }
  const control = sources.find(it => it.name === 'control.tsx')?.text ?? ''
  assert.match(control, /\n  readonly say: Word\n/)
  assert.match(control, /\n  readonly icon: IconName \| VNode\n/)
})

test('a control that is pressed twice acts once, until what it began has settled', async () => {
  const told: boolean[] = []
  const once = guard(isBusy => told.push(isBusy), 1)
  let settle = () => {}
  let begun = 0
  const slow = () => (begun++, new Promise<void>(done => (settle = done)))

  once(slow)
  once(slow)
  assert.deepEqual([begun, told], [1, [true]])

  settle()
  await Promise.resolve()
  once(slow)
  assert.deepEqual([begun, told], [1, [true]])
  await new Promise(rest => setTimeout(rest, 20))
  assert.deepEqual(told, [true, false])
  once(slow)
  assert.equal(begun, 2)

  const quick = guard(() => assert.fail('what is done at once leaves it on'))
  for (const _ of 'twice') quick(() => begun++)
  assert.equal(begun, 7)
})

test('every icon is drawn and used, and each picture has its word', () => {
  const all = sources.filter(it => it.name !== 'drawn.ts').map(it => it.text).join()
  const unused = Object.keys(ICONS).filter(icon => !all.includes(`'${icon}'`) && !all.includes(`"${icon}"`))
  assert.deepEqual(unused, [])
  for (const language of Object.keys(LANGUAGES)) {
    const { animals, answers } = words(language)
    assert.equal((animals as readonly Json[]).length, ANIMALS.length)
    assert.equal((answers as readonly Json[]).length, ANSWERS.length)
  }
})

test('a name with markup, overrides and controls is shown inert', () => {
  assert.equal(shownName('\u202eMa\u0000ma\u2066 <b>x</b>\u200b'), 'Mama <b>x</b>')
  assert.equal(shownName(' \n\t\u2028 '), '?')
  assert.equal(shownName('a\nb\tc'), 'a b c')
  assert.equal(shownName('\ud800x\udc00'), 'x')
  assert.equal([...shownName('长'.repeat(1000))].length, 61)
  assert.equal(shownName('e' + '\u0301'.repeat(500)), 'e' + '\u0301'.repeat(4))
  assert.equal(shownName('👩‍👧'), '👩‍👧')
  assert.equal(isolated('\u2069x\u2068'), '\u2068x\u2069')
})

test('a letter keeps its lines', () => {
  assert.equal(shownText('吃饭了吗？\r\nDa.\u202e\u061c'), '吃饭了吗？\nDa.')
  assert.equal(shownText('\u{e0041}a\u{e0061}'), 'a')
})

test('quiet hours may go over midnight', () => {
  const at = (hours: number, minutes = 0) => new Date(2026, 0, 1, hours, minutes)
  const night = { from: 21 * 60, until: 7 * 60 }
  const noon = { from: 12 * 60, until: 14 * 60 }

  assert.deepEqual([20, 21, 23, 0, 6, 7].map(hour => isQuiet(night, at(hour))), [false, true, true, true, true, false])
  assert.deepEqual([11, 12, 13, 14].map(hour => isQuiet(noon, at(hour))), [false, true, true, false])
  assert.equal(isQuiet(night, at(20, 59)), false)
  assert.equal(isQuiet(null, at(3)), false)
})

test('the browser\'s languages find one of ours', () => {
  assert.equal(ours(['de-AT', 'ro-MD', 'en']), 'ro')
  assert.equal(ours(['zh-TW']), 'zh-Hans')
  assert.equal(ours(['cmn-Hans-CN']), 'zh-Hans')
  assert.equal(ours(['toString', 'lv']), 'lv')
  assert.equal(ours([]), 'en')
})

test('counts and times are those of the language', async () => {
  await speakIn('ro')
  assert.equal(counted('chosen', 1), '1 imagine aleasă')
  assert.equal(counted('chosen', 2), '2 imagini alese')
  assert.equal(counted('chosen', 20), '20 de imagini alese')
  assert.equal(civil('2026-03-29T19:30:00'), civil('2026-03-29 19:30'))
  assert.match(civil('2026-03-29T19:30:00'), /29 mar.*19:30/)

  await speakIn('lv')
  assert.equal(counted('chosen', 21), '21 attēls izvēlēts')
  assert.equal(counted('chosen', 11), '11 attēlu izvēlēts')

  await speakIn('zh-Hans')
  const now = new Date(2026, 4, 20, 9).getTime()
  assert.equal(day(now - 20 * 3_600_000, now), '昨天')
  assert.equal(day(now - 3 * 86_400_000, now), '星期日')
  assert.equal(t.isNew, '新')
  assert.equal(localIn('Asia/Shanghai', Date.UTC(2026, 0, 1, 20)), '2026-01-02T04:00')
  assert.equal(length(65_400), '1:05')
})
