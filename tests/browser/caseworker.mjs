// A caseworker sees whom to ring first, opens that family, and does for it what is theirs to do.
import assert from 'node:assert/strict'
import { comeIn, look, somebody, story, told } from './browser.mjs'

const { language, listed, ring, anothers } = told

await story(async browser => {
  const page = await somebody(browser, { locale: language })
  await comeIn(page, told.link)
  assert.equal(new URL(page.url()).pathname, '/staff/families')
  assert.equal(await page.locator('html').getAttribute('lang'), language)

  // In the order of the API, and the first says that it is the first.
  const codes = await page.locator('.list tbody th a').allTextContents()
  assert.deepEqual(codes, listed)
  assert.equal(await page.locator('.list tr.first th a').textContent(), listed[0])
  await look(page, `staff-families-${language}`)
  await printed(page)

  // The same leaves as a file.
  const href = await page.locator('a[href*="families.csv"]').getAttribute('href')
  const csv = await page.context().request.get(told.origin + href)
  const lines = (await csv.text()).trimEnd().split('\r\n')
  assert.deepEqual(lines.slice(1).map(line => line.split(',')[0]), listed)
  assert.match(csv.headers()['content-disposition'], /attachment/)

  // Narrowed, and found by its code.
  await page.locator('.narrow-list summary').click()
  await page.locator('select[name=standing]').selectOption('silent')
  await page.locator('form[action="/staff/families"] button').click()
  await page.waitForURL('**standing=silent*')
  const silent = await page.locator('.list tbody th a').allTextContents()
  assert.ok(silent.length > 0 && silent.length < listed.length)
  await page.locator('input[name=case]').fill(ring.case)
  await page.locator('form[action="/staff/family"] button').click()
  await page.waitForURL(`**/staff/families/${ring.case}`)
  assert.ok((await page.locator('svg[role=img]').count()) >= 1)
  await look(page, `staff-family-${language}`, { full: true })

  // The task is seen to.
  assert.ok((await page.locator('form[action$="/task"]').count()) > 0)
  await page.locator('form[action$="/visit"] button').click()
  await page.waitForURL('**?done=visit')
  assert.ok(await page.locator('p.done').isVisible())
  assert.equal(await page.locator('form[action$="/task"]').count(), 0, 'the call closes what was to be done')

  await page.locator('details:has(form[action$="/pause"]) summary').click()
  await page.locator('select[name=reason]').selectOption('exams')
  await page.locator('input[name=until]').fill(told.until)
  await page.locator('form[action$="/pause"] button').click()
  await page.waitForURL('**?done=pause')

  await page.locator('details:has(form[action$="/plan"]) summary').click()
  for (const day of ['wed', 'sun']) await page.locator(`input[value=${day}]`).check()
  await page.locator('input[name=at]').fill('18:15')
  await page.locator('form[action$="/plan"] button').click()
  await page.waitForURL('**?done=plan')

  // Another's family is as if it were not there, and says so in their own words.
  const none = await page.goto(`${told.origin}/staff/families/${anothers}`)
  assert.equal(none.status(), 404)
  const nobodys = await page.goto(`${told.origin}/staff/families/XX-404`)
  assert.equal(nobodys.status(), 404)
  page.faults.length = 0
  await look(page, `staff-refused-${language}`, { sizes: [] })
  for (const path of ['people', 'audit', 'programme']) {
    const answer = await page.goto(`${told.origin}/staff/${path}`)
    assert.equal(answer.status(), 403, path)
  }
  return {}
})

/** On paper there are no buttons. */
async function printed(page) {
  await page.emulateMedia({ media: 'print' })
  assert.equal(await page.locator('form.out').isVisible(), false)
  assert.equal(await page.locator('.list tr.first').isVisible(), true)
  await page.emulateMedia({ media: 'screen' })
}
