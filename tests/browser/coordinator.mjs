// A coordinator looks at the whole programme, narrows it until too few are left, sets what holds, and lets somebody in.
import assert from 'node:assert/strict'
import { bytes, comeIn, look, somebody, story, told } from './browser.mjs'

await story(async browser => {
  const page = await somebody(browser)
  await comeIn(page, told.link)
  const at = path => page.goto(told.origin + path)
  await at('/staff/programme')
  await look(page, 'staff-programme-en', { full: true })
  const tables = await everyChartHasItsTable(page)
  everyShareHasItsCounts(tables)
  assert.match(await page.locator('main').innerText(), /As of /)

  // Narrowed, until single families could be recognised.
  await page.locator('.narrow-list summary').click()
  await page.locator('select[name=site]').selectOption('soroca')
  await page.locator('form[action="/staff/programme"] button').click()
  await page.waitForURL('**site=soroca*')
  everyShareHasItsCounts(await everyChartHasItsTable(page))
  await page.locator('select[name=standing]').selectOption('at_risk')
  await page.locator('form[action="/staff/programme"] button').click()
  await page.waitForURL('**standing=at_risk*')
  assert.ok(await page.locator('section.few').isVisible())
  assert.equal(await page.locator('main svg, main table').count(), 0)
  await look(page, 'staff-too-few-en')

  const sizes = {}
  for (const path of ['families', 'programme', 'people', 'settings', 'audit', 'me']) {
    sizes[path] = await bytes(page, `/staff/${path}`)
    assert.ok(sizes[path] < 60_000, `${path}: ${sizes[path]} bytes`)
  }

  await at('/staff/settings')
  await look(page, 'staff-settings-en')
  await page.locator('input[name=on_track]').fill('8')
  await page.locator('form[action$="/thresholds"] button').click()
  await page.waitForURL('**?done=thresholds')
  await page.locator('input[name=on_track]').fill('7')
  await page.locator('form[action$="/thresholds"] button').click()
  await page.waitForURL('**?done=thresholds')

  await at('/staff/people')
  await look(page, 'staff-people-en')
  const add = page.locator('form[action="/staff/people"]')
  await add.locator('input[name=name]').fill('Ana')
  await add.locator('input[value=soroca]').check()
  await add.locator('button').click()
  await page.waitForSelector('.qr svg')
  await look(page, 'staff-handed-en')
  const link = (await page.locator('main code').textContent()).trim()
  const ana = await somebody(browser)
  await comeIn(ana, link)
  assert.equal(new URL(ana.url()).pathname, '/staff/families')
  assert.equal(await ana.locator('.who').textContent(), 'Ana')
  assert.equal(await ana.locator('.list tbody tr').count(), 20)

  // A family is hers, and then she is out.
  await at(`/staff/families/${told.case}`)
  await page.locator('select[name=staff]').selectOption({ label: 'Ana' })
  await page.locator('form[action$="/worker"] button').click()
  await page.waitForURL('**?done=assign')
  await ana.reload()
  assert.ok((await ana.locator('.list tbody th a').allTextContents()).includes(told.case))
  await at('/staff/people')
  const row = page.locator('tbody tr', { hasText: 'Ana' })
  await row.locator('summary').click()
  await row.locator('form[action$="/end"] button').click()
  await page.waitForURL('**?done=removed')
  await ana.reload()
  assert.match(ana.url(), /\/staff\?ended=yes$/)

  await at('/staff/audit')
  await look(page, 'staff-audit-en')
  assert.ok(await page.locator('tbody tr', { hasText: 'member of staff removed' }).count() > 0)

  // In another language, for who speaks it.
  await at('/staff/me')
  await page.locator('select[name=language]').selectOption('it')
  await page.locator('form[action="/staff/me"] button').click()
  await page.waitForURL('**?done=own')
  await at('/staff/programme')
  assert.equal(await page.locator('html').getAttribute('lang'), 'it')
  await look(page, 'staff-programme-it', { full: true })

  // A name is a text, whatever it holds.
  await at('/staff/me')
  await page.locator('input[name=name]').fill('<b>Li</b>')
  await page.locator('form[action="/staff/me"] button').click()
  await page.waitForURL('**?done=own')
  assert.equal(await page.locator('.who').textContent(), '<b>Li</b>')

  // An auditor is shown no family, and no small number.
  const auditor = await somebody(browser)
  await comeIn(auditor, told.auditor)
  assert.equal(new URL(auditor.url()).pathname, '/staff/programme')
  const small = (await everyChartHasItsTable(auditor)).standing.flat().filter(cell => /^[1-9]$/.test(cell))
  assert.deepEqual(small, [])
  const families = await auditor.goto(`${told.origin}/staff/families`)
  assert.equal(families.status(), 403)
  const two = await auditor.goto(`${told.origin}/staff/programme?site=soroca&standing=on_track`)
  assert.equal(two.status(), 403)

  return { tables, sizes }
})

/** Beside each chart stands its table, and the same numbers leave as a file. */
async function everyChartHasItsTable(page) {
  const sections = page.locator('.charts section')
  const tables = {}
  assert.ok((await sections.count()) >= 4)
  for (const section of await sections.all()) {
    assert.equal(await section.locator('svg[role=img]').count(), 1)
    const key = await section.getAttribute('id')
    await section.locator('summary').click()
    const cells = await section.locator('table tr').evaluateAll(rows =>
      rows.map(row => [...row.cells].map(cell => cell.textContent.trim()))
    )
    const href = await section.locator('a[href*=".csv"]').getAttribute('href')
    const file = await page.context().request.get(told.origin + href)
    assert.deepEqual(read(await file.text()), cells, key)
    tables[key] = cells
  }
  return tables
}

/** RFC 4180. */
function read(csv) {
  const cell = /("(?:[^"]|"")*"|[^,\r\n]*)(,|\r\n|$)/y
  const rows = [[]]
  while (cell.lastIndex < csv.length) {
    const [, text, end] = cell.exec(csv)
    rows.at(-1).push(text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text)
    if (end === '\r\n') rows.push([])
  }
  return rows.filter(row => row.length > 0)
}

function everyShareHasItsCounts(tables) {
  const shares = Object.values(tables).flat(2).filter(cell => cell.includes('%') && /\d/.test(cell))
  const alone = shares.filter(cell => !/\(\d+\/\d+\)/.test(cell) && !/ – /.test(cell) && !/95 %/.test(cell))
  assert.deepEqual(alone, [])
  assert.ok(shares.length > 10)
}
