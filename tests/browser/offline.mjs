// Without a line: the page opens, what is there can be read and heard, and what is said leaves by itself, once.
import assert from 'node:assert/strict'

import { story, told } from './browser.mjs'
import { MICROPHONE, face, jiashu, join, phone, press, until } from './phone.mjs'

await story(async browser => {
  for (const family of told.families) await withoutALine(browser, family)
}, MICROPHONE)

async function withoutALine(browser, { language, card, mother, text, voice }) {
  const page = await phone(browser, language)
  await join(page, card)
  await face(page, 3).waitFor()
  await jiashu(mother, 'send', '--to', 'Lili', text)
  await jiashu(mother, 'voice', 'send', voice, '--to', 'Lili')
  await press(page, face(page, 3))
  await page.getByText(text).waitFor()
  const other = page.locator('[data-control^="letter-"]')
  await press(page, other)
  await press(page, 'play')
  await until('the song to be heard', async () => (await jiashu(mother, 'log')).some(isHeard))
  await until('the page to be kept', () => page.evaluate(() => navigator.serviceWorker.ready.then(() => true)))
  assert.deepEqual(page.faults, [])

  await page.context().setOffline(true)
  await page.reload()
  await press(page, face(page, 3))
  // The newest stands open: the song, which is here.
  await press(page, 'play')
  await until('it to be heard', () => page.evaluate(() => document.querySelector('.voice progress[max="100"]')?.value > 50))
  await press(page, other)
  await page.getByText(text).waitFor()
  await press(page, 'answer-2')
  // Whoever closes the page loses nothing of it.
  await page.reload()
  await face(page, 3).waitFor()

  await page.context().setOffline(false)
  const answers = await until('the answer to come', async () => {
    const letters = await jiashu(mother, 'inbox')
    return letters.length > 0 && letters
  })
  assert.deepEqual(answers.map(letter => letter.picture), ['smile'])
  assert.deepEqual(await jiashu(mother, 'inbox'), [], 'it came once')
  assert.deepEqual(page.faults.filter(fault => !/ERR_INTERNET_DISCONNECTED/.test(fault)), [])
}

/** Its author sees that it was played, or shown to the child. */
function isHeard({ kind, receipts }) {
  return kind === 'voice' && receipts.some(receipt => receipt.member === 'Lili' && receipt.rung !== 'device')
}
