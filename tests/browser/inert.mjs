// Names and letters from a hostile hand: they are shown as what they are, and do nothing.
import assert from 'node:assert/strict'

import { look, story, told } from './browser.mjs'
import { MICROPHONE, control, face, jiashu, join, phone, press, until } from './phone.mjs'

const BAD = [
  '<img src=x onerror=fetch("https://evil.example/")>',
  '<script>document.body.textContent = "gone"</script><iframe src="https://evil.example/"></iframe>',
  '"><svg onload=alert(1)> {{7*7}} ${7*7} <a href="javascript:alert(1)">here</a>',
  '\u202Egnp.exe\u202E \u2067left\u2066\u2069\u2069 \u200F\u061C',
  'a\u0000b\u0007c\u001B[31md\u0085e\u2028f\u2029g',
  'pa\u200Byp\u200Bal \uFEFF\u00AD\u2060 \u{E0041}\u{E0042}',
  'Z\u0335' + '\u0301'.repeat(300) + ' \u0E47\u0E47\u0E47\u0E47',
  'W'.repeat(400),
  '\uFDFD'.repeat(20) + '𒐫'.repeat(20),
  '\n'.repeat(40) + 'below',
]

/** As a letter, but for what no field for a name takes. */
const NAMES = BAD.slice(0, -1)

/** A text changes no colours, but perhaps the width. */
const LOOK = { sizes: [{ width: 360, height: 640 }, { width: 320, height: 640 }], colors: ['light'] }

/** What is in the page after each: nothing of theirs. */
const foreign = page => page.evaluate(() => {
  const found = [...document.querySelectorAll('#page :is(img, script, iframe, a, object, embed, style, link)')]
  const unseen = /[\0-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2067\ufeff\u{e0000}-\u{e0fff}]/u
  const strings = [document.title]
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (walk.nextNode()) strings.push(walk.currentNode.data)
  for (const element of document.querySelectorAll('#page *')) {
    for (const { name, value } of element.attributes) {
      strings.push(value)
      if (/^on/.test(name)) found.push(element)
    }
  }
  return [...found.map(it => it.outerHTML), ...strings.filter(it => unseen.test(it))]
})

await story(async browser => {
  await Promise.all(told.families.map(family => receive(browser, family)))
}, MICROPHONE)

async function receive(browser, { language, card, mother }) {
  const page = await phone(browser, language)
  const dialogs = []
  page.on('dialog', dialog => (dialogs.push(dialog.message()), dialog.dismiss()))
  await join(page, card)
  await face(page, 3).waitFor()
  for (const [at, bad] of BAD.entries()) {
    // No argument of a program holds a NUL.
    await jiashu(mother, 'send', '--to', 'Lili', bad.replaceAll('\0', '\x01'))
    if (at === 0) await press(page, face(page, 3))
  }
  await until('all to have come', async () => await page.locator('[data-control^="letter-"]').count() === BAD.length - 1)
  const closed = await page.locator('[data-control^="letter-"]').evaluateAll(all => all.map(it => it.dataset.control))
  const shown = new Set()
  for (const [at, name] of [null, ...closed].entries()) {
    if (name !== null) {
      await press(page, name)
      await control(page, name).waitFor({ state: 'detached' })
    }
    shown.add(await page.locator('.written').textContent())
    assert.deepEqual(await foreign(page), [])
    await look(page, `phone-inert-letter-${at}-${language}`, LOOK)
  }
  assert.equal(shown.size, BAD.length, 'each was opened')
  assert.ok(shown.has(BAD[0]), 'and is shown as what it is')
  await press(page, 'back')

  // The family's own names, changed by one of its phones: in every place that shows them.
  for (const [at, bad] of NAMES.entries()) {
    await press(page, 'menu')
    await press(page, 'people')
    await press(page, 'member-1')
    await control(page, 'rename').fill(bad)
    await press(page, 'save')
    await control(page, 'rename').waitFor({ state: 'detached' })
    assert.deepEqual(await foreign(page), [], `people ${bad}`)
    await look(page, `phone-inert-people-${at}-${language}`, LOOK)
    await press(page, 'back')
    await press(page, 'back')
    await press(page, face(page, 3))
    await look(page, `phone-inert-name-${at}-${language}`, LOOK)
    assert.deepEqual(await foreign(page), [], `letters ${bad}`)
    await press(page, 'back')
  }
  assert.deepEqual(dialogs, [])
}
