// What a person does who cannot read, with no text to be seen: open a letter, hear it, answer by voice, answer by a picture, ask
// for help. At most three actions each, from the faces on; all that can be pressed has a drawing, and says what it is for.
import assert from 'node:assert/strict'
import path from 'node:path'

import { story, told } from './browser.mjs'
import { MICROPHONE, control, face, jiashu, join, phone, press, speak, until } from './phone.mjs'

const MOST = 3

await story(async browser => {
  const counted = []
  for (const family of told.families) counted.push(await atHome(browser, family))
  return { counted }
}, MICROPHONE)

async function atHome(browser, { case: code, language, card, mother, text, voice }) {
  const page = await phone(browser, language)
  await join(page, card)
  await face(page, 3).waitFor()
  await page.evaluate(hideText)
  const task = taskOn(page, language)
  await jiashu(mother, 'send', '--to', 'Lili', text)
  await face(page, 3).locator('.dot').waitFor()

  await task('open', async () => {
    await press(page, face(page, 3))
    await seesIt(mother, it => it.text === text && reached(it, 'shown'))
  })
  await task('hear', async () => {
    await press(page, face(page, 3))
    await press(page, 'readLetter')
    await until('it to be said', () => page.evaluate(text => globalThis.spoken.includes(text), text))
  })
  await jiashu(mother, 'voice', 'send', voice, '--to', 'Lili')
  await face(page, 3).locator('.dot').waitFor()
  await task('hear-voice', async () => {
    await press(page, face(page, 3))
    await press(page, 'play')
    await seesIt(mother, it => it.kind === 'voice' && reached(it, 'shown'))
  })
  await task('answer', async () => {
    await press(page, face(page, 3))
    await speak(page)
    await everyControl(page)
    await press(page, 'send')
    await until('the voice to come', () => came(mother, it => it.kind === 'voice'))
  })
  await task('picture', async () => {
    await press(page, face(page, 3))
    await press(page, 'answer-1')
    await until('the picture to come', () => came(mother, it => it.picture === 'heart'))
  })
  await task('help', async () => {
    await press(page, 'help')
    await press(page, 'askForHelp')
    await until('staff to know', async () => (await jiashu(told.worker, 'ngo', 'tasks')).some(it => it.kind === 'help' && it.case_code === code))
  })
  assert.deepEqual(page.faults, [])
  return task.counted
}

/** From the faces, and back to them. */
function taskOn(page, language) {
  const task = async (name, work) => {
    await page.locator('[data-screen=faces]').waitFor()
    await everyControl(page)
    page.actions = 0
    await work()
    task.counted[name] = page.actions
    assert.ok(page.actions <= MOST, `${name}: ${page.actions} actions`)
    await everyControl(page)
    // Who listens to the page is kept out by this style sheet: the others hold what axe asks for.
    await page.screenshot({ path: path.join(process.env.JIASHU_IMAGES, `phone-unread-${name}-${language}-360.png`) })
    if (await page.locator('[data-screen=faces]').count() === 0) await press(page, 'back')
  }
  task.counted = {}
  return task
}

/** Neither labels nor headings, names nor letters: drawings alone stay. */
function hideText() {
  const sheet = new CSSStyleSheet()
  sheet.replaceSync(`
    .label, h1 > :not(.face), h2, p { visibility: hidden }
    * { -webkit-text-fill-color: transparent !important }
  `)
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet]
}

/** Of all that can be pressed or filled in here. */
async function everyControl(page) {
  const dumb = await page.locator('button, input, textarea, select, a, [role=button]').evaluateAll(all => all.filter(it => {
    const drawn = (it.closest('label') ?? it).querySelector('svg')
    const { width = 0 } = drawn?.getBoundingClientRect() ?? {}
    return width < 16 || getComputedStyle(drawn).visibility !== 'visible' || !it.dataset.say?.trim()
  }).map(it => it.outerHTML))
  assert.deepEqual(dumb, [])
  assert.ok(await page.locator('main h1[data-say]:not([data-say=""])').count(), 'the screen says what it is')
}

async function seesIt(mother, isIt) {
  await until('the mother to see how far it came', async () => (await jiashu(mother, 'log')).some(isIt))
}

function reached({ receipts }, rung) {
  return receipts.some(receipt => receipt.member === 'Lili' && receipt.rung === rung)
}

async function came(mother, isIt) {
  return (await jiashu(mother, 'inbox')).some(isIt)
}
