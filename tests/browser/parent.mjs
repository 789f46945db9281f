// A parent abroad, in the page: lets the phone in by the card, speaks and writes, now and for the child's evening, and sees how
// far each came.
import assert from 'node:assert/strict'

import { SIZES, look, story, told } from './browser.mjs'
import { MICROPHONE, control, jiashu, join, phone, press, speak, until } from './phone.mjs'

await story(async browser => {
  for (const family of told.families) await abroad(browser, family)
}, MICROPHONE)

async function abroad(browser, { language, card, home, text, answer }) {
  const page = await phone(browser, language, { timezoneId: 'Europe/Rome' })
  await join(page, card)

  // Said.
  await press(page, 'compose')
  await speak(page)
  await press(page, 'record')
  await look(page, `phone-recorded-${language}`)
  await press(page, 'send')
  const { voice } = await until('the voice note to come', async () => (await jiashu(home, 'inbox')).find(letter => letter.kind === 'voice'))
  assert.ok(voice.duration_ms >= 1500 && voice.size > 1000, JSON.stringify(voice))

  // Written.
  await press(page, 'compose')
  await control(page, 'text').fill(text)
  await press(page, 'send-text')
  const letter = await until('the letter to come', async () => (await jiashu(home, 'inbox')).find(letter => letter.text === text))
  await jiashu(home, 'heard', String(letter.seq), '--by', 'Lili')
  await page.locator('.receipts', { hasText: /Lili/ }).first().waitFor()
  await jiashu(home, 'send', '--as', 'Lili', '--to', '1', answer)
  await page.getByText(answer).waitFor()
  await look(page, `phone-letters-${language}`)
}
