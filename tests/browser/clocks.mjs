// A phone that believes it is 1970, or 2099: it lets itself in, reads, answers, and shows no day that nobody lives in.
import assert from 'node:assert/strict'

import { look, story, told } from './browser.mjs'
import { MICROPHONE, control, face, jiashu, join, phone, press, until } from './phone.mjs'

const YEARS = ['1970-01-01T00:00:30Z', '2099-12-31T23:59:00Z']

/** A year, or a word, that no screen may show. */
const ABSURD = /\b(19[0-9]{2}|20[3-9][0-9])\b|Invalid|NaN|undefined/

await story(async browser => {
  for (const [at, family] of told.families.entries()) await atOddTimes(browser, family, at)
}, MICROPHONE)

async function atOddTimes(browser, { language, card, mother, text }, at) {
  const year = YEARS[at].slice(0, 4)
  const page = await phone(browser, language, { timezoneId: 'Asia/Shanghai' })
  await page.clock.setFixedTime(new Date(YEARS[at]))
  const sensible = async where => {
    const values = await page.locator('input').evaluateAll(all => all.map(it => it.value))
    const shown = [await page.locator('body').innerText(), ...values].join('\n')
    assert.doesNotMatch(shown, ABSURD, `${where} of ${year}`)
  }
  await page.goto(card)
  await control(page, 'join').waitFor()
  await sensible('joining')
  await press(page, 'join')
  await face(page, 3).waitFor()
  await jiashu(mother, 'send', '--to', 'Lili', text)
  await until('the letter to come', () => face(page, 3).locator('.unseen').count())
  await press(page, face(page, 3))
  await page.getByText(text).waitFor()
  await sensible('a letter')
  const today = new Intl.RelativeTimeFormat(language, { numeric: 'auto' }).format(0, 'day')
  assert.ok((await page.locator('article time').first().innerText()).startsWith(today), `${year}: it came today`)
  await press(page, 'answer-1')
  const answer = await until('the answer to come', async () => (await jiashu(mother, 'inbox')).find(it => it.picture === 'heart'))
  assert.doesNotMatch(JSON.stringify(answer), ABSURD)
  await press(page, page.locator('[data-control^="letter-"]'))
  await page.locator('.receipts li').first().waitFor()
  await look(page, `phone-clock-${year}-${language}`)
  await sensible('an answer')
  await press(page, 'back')
  for (const place of ['menu', 'people']) {
    await press(page, place)
    await page.locator(`[data-screen=${place}]`).waitFor()
    await sensible(place)
  }
  await press(page, 'back')
  for (const place of ['plan', 'data', 'schedules']) {
    await press(page, place)
    await page.locator(`[data-screen=${place}]`).waitFor()
    await sensible(place)
    await look(page, `phone-clock-${year}-${place}-${language}`, { sizes: [{ width: 360, height: 640 }] })
    await press(page, 'back')
  }
  // What a page has kept it opens again at any time, and the right one does no harm.
  await page.reload()
  await press(page, face(page, 3))
  await page.getByText(text).first().waitFor()
  await sensible('after a while')
  assert.deepEqual(page.faults, [])
}
