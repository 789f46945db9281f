// A coordinator enrols families from a list: sees its faults, mends it, is signed out meanwhile, sends it over a line that
// loses an answer, prints and saves the cards, and lets go of them.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { comeIn, look, somebody, story, told } from './browser.mjs'

await story(async browser => {
  const page = await somebody(browser)
  const sent = []
  let losesNext = false
  await page.route('**/staff/enrol', async route => {
    if (route.request().method() !== 'POST') return route.continue()
    sent.push(route.request().postDataBuffer().toString('hex'))
    if (!losesNext) return route.continue()
    losesNext = false
    await route.fetch()
    await route.abort()
  })
  await comeIn(page, told.link)
  await page.goto(`${told.origin}/staff/enrol`)
  await look(page, 'staff-enrol-empty', { sizes: [{ width: 360, height: 640 }] })
  assert.deepEqual(await statuses(page), [403, 403, 400], 'without a token, with another, without families')
  sent.length = page.faults.length = 0

  const faults = await faultsOf(page, told.bad)
  await look(page, 'staff-enrol-faults', { full: true })
  await choose(page, told.good)
  await page.locator('#send').waitFor()
  assert.equal(await page.locator('table.faults').count(), 0)
  await look(page, 'staff-enrol-checked', { sizes: [{ width: 360, height: 640 }] })

  await page.context().clearCookies()
  await page.locator('#send').click()
  await page.locator('#again').waitFor()
  assert.match(await page.locator('[role=status]').textContent(), /signed out/)
  const other = await page.context().newPage()
  await comeIn(other, told.second)
  losesNext = true
  await page.locator('#again').click()
  await page.locator('.card').first().waitFor()
  assert.equal(sent.length, 3, 'to nobody, over the line that lost the answer, and again')
  assert.equal(new Set(sent).size, 1, 'the same bytes')
  const lost = page.faults.splice(0)
  assert.ok(lost.every(fault => /ERR_FAILED|401/.test(fault)), lost.join())
  assert.ok(await page.locator('[role=status]').evaluate(it => it === document.activeElement), 'what came of it is read out')
  await look(page, 'staff-enrol-cards', { full: true })

  await printed(page)
  assert.equal(await mayLeave(page), false, 'closing the tab would lose the cards')
  const invites = JSON.parse(await saved(page, '#save-list'))
  const file = await saved(page, '#save-page')
  assert.match(file, /^<!doctype html>/)
  assert.ok(!file.includes('<script'))
  assert.equal(await mayLeave(page), true)
  const links = await page.locator('.card .link').allTextContents()
  const names = await page.locator('.card .who').allTextContents()

  await page.locator('#forget').click()
  assert.equal(await page.locator('.card').count(), 0)
  return { faults, sent, invites, links, names }
})

/** What the relay answers to a body that is no family, from a page of its own. */
function statuses(page) {
  return page.evaluate(async () => {
    const { form_token } = JSON.parse(document.getElementById('given').textContent)
    const post = async headers => (await fetch(location.pathname, { method: 'POST', headers, body: Uint8Array.of(1) })).status
    return [await post({}), await post({ 'X-CSRF-Token': '0' }), await post({ 'X-CSRF-Token': form_token })]
  })
}

async function choose(page, list) {
  const file = { name: 'families.csv', mimeType: 'text/csv', buffer: Buffer.from(list) }
  await page.locator('input[type=file]').setInputFiles(file)
}

async function faultsOf(page, list) {
  await choose(page, list)
  await page.locator('table.faults').waitFor()
  return page.locator('table.faults tbody tr').evaluateAll(rows => rows.map(row => {
    const [line, column, code, reason] = [...row.cells].map(cell => cell.textContent)
    return { row: Number(line), column, reason, case_code: code === '–' ? null : code }
  }))
}

/** On paper stand the cards alone. */
async function printed(page) {
  await page.emulateMedia({ media: 'print' })
  for (const gone of ['header', 'h1', '#check', '#print', '.drop']) {
    assert.equal(await page.locator(gone).first().isVisible(), false, gone)
  }
  assert.equal(await page.locator('.card').first().isVisible(), true)
  const pdf = await page.pdf({ preferCSSPageSize: true })
  assert.equal(pdf.toString('latin1').match(/\/Type \/Page\b/g).length, 1, 'four cards are one sheet')
  fs.writeFileSync(`${process.env.JIASHU_IMAGES}/staff-enrol-sheet.pdf`, pdf)
  await page.emulateMedia({ media: 'screen' })
}

/** Whether the page lets itself be left without a question. */
function mayLeave(page) {
  return page.evaluate(() => window.dispatchEvent(new Event('beforeunload', { cancelable: true })))
}

async function saved(page, button) {
  const [download] = await Promise.all([page.waitForEvent('download'), page.locator(button).click()])
  return fs.readFileSync(await download.path(), 'utf8')
}
