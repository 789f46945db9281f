// A phone in the village: grandmother lets it in by her card, hears what the mother wrote, and the child answers.
import assert from 'node:assert/strict'

import { look, story, told } from './browser.mjs'
import { MICROPHONE, control, face, jiashu, phone, press, until } from './phone.mjs'

await story(async browser => {
  for (const family of told.families) await atHome(browser, family)
  return {}
}, MICROPHONE)

async function atHome(browser, { language, card, mother, text }) {
  const page = await phone(browser, language)
  await page.goto(card)
  await control(page, 'join').waitFor()
  await look(page, `phone-join-${language}`, { sizes: [page.viewportSize()] })
  await press(page, 'join')
  await face(page, 3).waitFor()

  // A letter comes while the page is open.
  await jiashu(mother, 'send', '--to', 'Lili', text)
  await until('the face to have a dot', () => face(page, 3).locator('.unseen').count())
  await look(page, `phone-faces-${language}`, { sizes: [page.viewportSize()] })
  await press(page, face(page, 3))
  await page.getByText(text).waitFor()
  await look(page, `phone-letter-${language}`, { sizes: [page.viewportSize()] })
  const heard = await until('the mother sees that it was heard', async () => {
    const letters = await jiashu(mother, 'log')
    return JSON.stringify(letters).includes('shown') && letters
  })
  await press(page, 'answer-1')
  await until('the answer to come', async () => (await jiashu(mother, 'inbox')).find(letter => letter.picture === 'heart'))
  return heard
}
