// What the programme proposes is nothing yet: the parent confirms it in the page, and then it is meant on every phone.
import assert from 'node:assert/strict'

import { look, story, told } from './browser.mjs'
import { control, jiashu, join, phone, press, until } from './phone.mjs'

await story(async browser => {
  for (const family of told.families) await confirmed(browser, family)
})

async function confirmed(browser, { case: code, language, card, home, zone }) {
  const page = await phone(browser, language, { timezoneId: 'Europe/Rome' })
  await join(page, card)
  await press(page, 'menu')
  await press(page, 'plan')
  await jiashu(told.worker, 'ngo', 'plan', code, '--every', 'sun', '--at', '19:30')
  await control(page, 'accept').waitFor()
  const proposal = page.locator('.times').last().locator('li')
  await until('its times', async () => await proposal.count() === 2)
  assert.ok((await proposal.first().innerText()).includes('19:30'))
  await look(page, `phone-proposed-${language}`, { full: true })
  const [before] = await jiashu(home, 'plan')
  assert.deepEqual([before.rules, before.proposed.length], [[], 1], 'nobody but the family plans')

  await press(page, 'accept')
  const [after] = await until('the plan to be there', async () => {
    const found = await jiashu(home, 'plan')
    return found[0].rules.length > 0 && found
  })
  assert.deepEqual(after.rules, before.proposed)
  assert.equal(after.rules[0].zone, zone)
  await control(page, 'accept').waitFor({ state: 'detached' })
  const coming = page.locator('.times').first().locator('li')
  await until('the coming week to have it', async () => await coming.count() === 1)
  await look(page, `phone-plan-${language}`, { full: true })
  const week = await jiashu(home, 'plan', 'week')
  assert.ok(week.some(time => time.child === 'Lili'), JSON.stringify(week))

  // Taken out again, it is meant by nobody.
  await press(page, 'leave-out-0')
  await until('nothing to be meant', async () => (await jiashu(home, 'plan'))[0].rules.length === 0)
}
