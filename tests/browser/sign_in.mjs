// Somebody of the staff asks for a link, comes in by it, sees where they are signed in, and ends what is not theirs.
import assert from 'node:assert/strict'
import { comeIn, look, somebody, story, told } from './browser.mjs'

await story(async browser => {
  const page = await somebody(browser, { locale: told.locale })
  if (told.act === 'ask') {
    await page.goto(`${told.origin}/staff`)
    assert.equal(await page.locator('html').getAttribute('lang'), told.language)
    await look(page, `staff-sign-in-${told.language}`)
    await page.locator('input[name=email]').fill(told.email)
    await page.locator('main form button').click()
    await page.waitForURL('**/staff/sign-in')
    await look(page, `staff-link-sent-${told.language}`, { sizes: [] })
    return {}
  }
  // What looks at links before people do uses none up.
  await page.goto(told.link)
  await page.goto(told.link)
  await look(page, `staff-link-${told.language}`, { sizes: [] })
  await comeIn(page, told.link)
  const first = page.url()
  const [cookie] = await page.context().cookies()
  assert.deepEqual(
    [cookie.httpOnly, cookie.secure, cookie.sameSite, cookie.path],
    [true, true, 'Strict', '/']
  )
  assert.equal(await page.evaluate(() => document.cookie), '', 'no script reads it')

  // The link is used up, whoever has it.
  const thief = await somebody(browser)
  const gone = await thief.goto(told.link)
  assert.equal(gone.status(), 404)
  assert.equal(await thief.locator('main form').count(), 0)

  // The same person, with a phone.
  const phone = await somebody(browser, { locale: told.locale })
  await comeIn(phone, told.second)
  await page.goto(`${told.origin}/staff/me`)
  const sessions = page.locator('tbody tr')
  assert.equal(await sessions.count(), 2)
  await look(page, `staff-me-${told.language}`)
  await sessions.locator('button').click()
  await page.waitForURL('**/staff/me?done=session')
  assert.equal(await page.locator('tbody tr').count(), 1)
  await phone.goto(`${told.origin}/staff/families`)
  assert.match(phone.url(), /\/staff\?ended=yes$/, 'the phone is out')

  await page.locator('form.out button').click()
  await page.waitForURL('**/staff?ended=yes')
  await page.goto(first)
  assert.match(page.url(), /\/staff(\?ended=yes)?$/)
  await look(page, `staff-signed-out-${told.language}`, { sizes: [] })
  return { first }
})
