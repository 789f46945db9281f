// Thirty children and one phone: each finds its own face, sees that a letter came, and opens it.
import assert from 'node:assert/strict'

import { look, story, told } from './browser.mjs'
import { MICROPHONE, jiashu, joinBy, mailbox, phone, press, until } from './phone.mjs'

await story(async browser => {
  const opened = []
  for (const house of told.houses) opened.push(await atHome(browser, house))
  return { opened }
}, MICROPHONE)

async function atHome(browser, { name, language, cards, children, child, parent, text }) {
  const page = await phone(browser, language)
  await joinBy(page, cards)
  const faces = page.locator('[data-control^="face-"]')
  await until('all to be there', async () => await faces.count() === children)
  const drawn = await faces.locator('svg').evaluateAll(all => all.map(it => it.outerHTML))
  assert.equal(new Set(drawn).size, children, 'no two have the same face')

  await jiashu(parent, 'send', '--to', child, text)
  await mailbox(page, child).locator('.dot').waitFor()
  assert.equal(await page.locator('.dot').count(), 1, 'nobody else has a dot')
  await look(page, `phone-${name}-${language}`, { full: true })
  const cut = await faces.evaluateAll(all => all.filter(it => it.scrollWidth > it.clientWidth).map(it => it.innerText))
  assert.deepEqual(cut, [], 'each name can be read')

  await page.setViewportSize({ width: 360, height: 640 })
  const began = Date.now()
  await press(page, mailbox(page, child))
  await page.getByText(text).waitFor()
  return Date.now() - began
}
