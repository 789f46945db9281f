// Somebody who has never heard of it opens the link that the demo prints.
import assert from 'node:assert/strict'
import { comeIn, look, somebody, story, told } from './browser.mjs'

await story(async browser => {
  const page = await somebody(browser)
  await comeIn(page, told.link)
  const first = await page.locator('.list tr.first').innerText()
  await look(page, 'staff-demo-en', { sizes: [] })
  await page.locator('.list tr.first a').click()
  await page.waitForURL('**/staff/families/*')
  await page.locator('nav a[href="/staff/programme"]').click()
  await page.waitForURL('**/staff/programme')
  assert.ok((await page.locator('.charts svg[role=img]').count()) >= 4)
  return { first }
})
