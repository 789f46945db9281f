// Somebody who has never heard of it opens the link that the demo prints.
import assert from 'node:assert/strict'
import { SIZES, comeIn, look, somebody, story, told } from './browser.mjs'

await story(async browser => {
  const page = await somebody(browser)
  await comeIn(page, told.link)
  const first = await page.locator('.list tr.first').innerText()
  await look(page, 'staff-demo-families-en')
  await page.locator('.list tr.first a').click()
  await page.waitForURL('**/staff/families/*')
  await page.locator('nav a[href="/staff/programme"]').click()
  await page.waitForURL('**/staff/programme')
  assert.ok((await page.locator('.charts svg[role=img]').count()) >= 4)
  await look(page, 'staff-demo-programme-en', { sizes: SIZES })

  // Whoever speaks another language says so once.
  await page.locator('nav a[href="/staff/me"]').click()
  await page.locator('select[name=language]').selectOption('lv')
  await page.locator('form[action="/staff/me"] button').click()
  await page.waitForURL('**?done=own')
  for (const part of ['families', 'programme']) {
    await page.goto(`${told.origin}/staff/${part}`)
    assert.equal(await page.locator('html').getAttribute('lang'), 'lv')
    await look(page, `staff-demo-${part}-lv`)
  }
  return { first }
})
