// Somebody without the app, who was given a link to a voice note: hears it by keys alone, and is told how to ask again
// where the link opens nothing any more. What stands behind the # stays in the browser.
import assert from 'node:assert/strict'
import fs from 'node:fs'

import { SIZES, look, somebody, story, told } from './browser.mjs'
import { MICROPHONE, jiashu, join, pass, phone, until } from './phone.mjs'

const SAYINGS = JSON.parse(fs.readFileSync(new URL('../../client-web/locale/outsider.json', import.meta.url)))

/** So long does a link hold that is to expire, in seconds: the shortest that there is. */
const HOLDS = 60

await story(async browser => {
  for (const family of told.families) await given(browser, family)
}, MICROPHONE)

async function given(browser, { language, card, home, parent }) {
  const mother = await phone(browser, language, {
    timezoneId: 'Europe/Rome', permissions: ['microphone', 'clipboard-read', 'clipboard-write'],
  })
  await join(mother, card)
  await jiashu(home, 'voice', 'send', '--as', 'Lili', '--to', parent, told.voice)
  const links = [await copied(mother), await made(home, '7d')]

  // A link of the page's opens by the command line, and of the command line's in the page.
  const out = `${home}.ogg`
  await jiashu(`${home}-aunt`, 'voice', 'open', links[0], '--out', out)
  assert.deepEqual(fs.readFileSync(out), fs.readFileSync(told.voice))
  for (const link of links) {
    const aunt = await outside(browser, language)
    await aunt.goto(link)
    await hear(aunt, SAYINGS[language])
    await look(aunt, `phone-outsider-${language}`)
    await silent(aunt, link)
  }
  await askAgain(browser, language, links[0], await made(home, `${HOLDS}s`))
}

/** What the page's own control gives. */
async function copied(page) {
  const share = page.locator('[data-control^="share-"]')
  await share.waitFor()
  // Where a browser shares by other apps, that is theirs.
  await page.evaluate(() => Object.defineProperty(navigator, 'share', { value: undefined }))
  await share.click()
  return until('the link to be copied', () => page.evaluate(async () => {
    const text = await navigator.clipboard.readText()
    return text.includes('/v#') && text
  }))
}

/** What the command line gives. */
async function made(home, length) {
  const { seq } = (await jiashu(home, 'log')).find(letter => letter.kind === 'voice')
  return (await jiashu(home, 'voice', 'link', String(seq), '--for', length))[0].link
}

/** A browser that knows nothing of the family, and of which all that it asks is written down. */
async function outside(browser, language) {
  const permissions = ['clipboard-read', 'clipboard-write']
  const page = await somebody(browser, { locale: language, viewport: SIZES[0], permissions })
  page.asked = []
  page.on('request', async request => {
    page.asked.push([request.url(), request.postData() ?? '', JSON.stringify(request.headers())].join(' '))
  })
  return page
}

/** By keys alone. */
async function hear(page, words) {
  await page.getByRole('heading', { name: words.title }).waitFor()
  await page.keyboard.press('Tab')
  assert.equal(await page.evaluate(() => document.activeElement.textContent), words.play)
  await page.keyboard.press('Enter')
  await page.getByRole('button', { name: words.stop }).waitFor()
  await until('it to be heard', () => page.evaluate(() => document.querySelector('progress').value > 50))
  await page.getByRole('button', { name: words.play }).waitFor()
}

/** A link that opens nothing any more says so, and has the words to ask for another. */
async function askAgain(browser, language, whole, brief) {
  const words = SAYINGS[language]
  const [, token, opens] = /#(.*)\.(.*)$/.exec(whole)
  const spoilt = {
    expired: [brief, words.gone],
    token: [`${told.origin}/v#${turned(token, 4)}.${opens}`, words.gone],
    key: [`${told.origin}/v#${token}.${turned(opens, 10)}`, words.unsafe],
    cut: [whole.slice(0, -5), words.bad],
  }
  pass(2 * HOLDS * 1000)
  for (const [what, [link, why]] of Object.entries(spoilt)) {
    const page = await outside(browser, language)
    await page.goto(link)
    if (what !== 'cut') {
      await page.keyboard.press('Tab')
      await page.keyboard.press('Enter')
    }
    await page.getByRole('status').filter({ hasText: why }).waitFor()
    assert.equal(await page.getByRole('textbox', { name: words.ask }).inputValue(), words.request)
    await page.evaluate(() => navigator.clipboard.writeText(''))
    const copy = page.getByRole('button', { name: words.copy })
    if (what === 'cut') await copy.focus()
    await until('the keys to be there', () => copy.evaluate(it => it === document.activeElement))
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: words.copied }).waitFor()
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), words.request)
    // That the relay has it no more is said in the console, too.
    page.faults = page.faults.filter(fault => !/status of 404/.test(fault))
    await look(page, `phone-outsider-${what}-${language}`)
    await silent(page, link, what !== 'cut')
    await page.context().close()
  }
}

/** The same with one letter of it another. */
function turned(text, at) {
  return `${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`
}

/** Nothing of what opens the note was asked of anybody: of the link the token alone. */
async function silent(page, link, isAsked = true) {
  const [, token, opens] = /#(.*)\.(.*)$/.exec(link)
  if (isAsked) assert.ok(page.asked.some(it => it.includes(token)), 'the token is asked for')
  for (const asked of page.asked) assert.ok(!asked.includes(opens.slice(0, 12)) && !asked.includes('#'), asked)
}
