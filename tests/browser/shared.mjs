// One phone for three children of two families: a mailbox each behind its face, one behind three secret pictures, one connection
// for all. Whatever stands on the screen of a child, read or not, holds nothing of another's.
import assert from 'node:assert/strict'

import { look, story, told } from './browser.mjs'
import { MICROPHONE, control, jiashu, joinBy, mailbox, phone, press, until } from './phone.mjs'

const [SECRET, WRONG] = [[1, 4, 9], [1, 4, 8]]

await story(async browser => {
  for (const school of told.schools) await atSchool(browser, school)
}, MICROPHONE)

async function atSchool(browser, { language, cards, children }) {
  const page = await phone(browser, language)
  const shot = name => look(page, `phone-${name}-${language}`)
  await joinBy(page, cards)
  const [first, second, third] = children
  await mailbox(page, third.name).waitFor()

  // Both families are on the one connection, and letters come by nothing else.
  const [sockets, rounds] = [[], []]
  page.on('websocket', socket => sockets.push(socket))
  page.on('request', request => request.method() === 'POST' && rounds.push(request.url()))
  await page.reload()
  await until('a connection', () => sockets.length)
  const roundsBefore = rounds.length

  // A letter to one leaves no dot on another.
  const dots = () => page.locator('[data-control^="face-"]', { has: page.locator('.dot') }).allInnerTexts()
  for (const [at, child] of children.entries()) {
    for (const text of child.texts) await jiashu(child.parent, 'send', '--to', child.name, text)
    const names = children.slice(0, at + 1).map(it => it.name)
    await until(`a dot on ${names}`, async () => same((await dots()).map(nameIn), names))
    await showsNothingOf(page, children)
  }
  const said = await page.locator('[data-say]').evaluateAll(all => all.map(it => it.dataset.say))
  assert.doesNotMatch(await page.locator('#page').innerText() + said, /\d/, 'nothing is counted')
  await shot('shared-faces')
  assert.deepEqual([sockets.length, rounds.length], [1, roundsBefore], 'all came by one connection')

  // The first puts three secret pictures before its letters.
  await press(page, 'menu')
  await press(page, 'settings')
  await press(page, page.locator('section', { hasText: first.name }).locator('[data-control^="pin-"]'))
  await secret(page, SECRET)
  await page.locator('[data-screen=pinAgain]').waitFor()
  await showsNothingOf(page, children)
  await secret(page, SECRET)
  await page.locator('[data-screen=settings]').waitFor()
  await showsNothingOf(page, children)
  await backToFaces(page)

  // The wrong pictures do not open, the right ones do; and among the faces it is locked again.
  await press(page, mailbox(page, first.name))
  await secret(page, WRONG)
  await page.locator('.told:not(:empty)').waitFor()
  await control(page, 'secret-0').and(page.locator(':enabled')).waitFor()
  await shot('shared-lock')
  assert.equal(await page.locator('main').getAttribute('data-screen'), 'lock')
  await showsNothingOf(page, children)
  await secret(page, SECRET)
  await ownLetters(page, first, children)
  await shot('shared-mailbox')
  await backToFaces(page)
  await press(page, mailbox(page, first.name))
  await page.locator('[data-screen=lock]').waitFor()
  await showsNothingOf(page, children)
  await backToFaces(page)

  // What the first answers is not among the second's letters, though it is of the same family.
  await open(page, first)
  await press(page, 'answer-1')
  await until('the answer to come', async () => (await jiashu(first.parent, 'inbox')).some(it => it.picture === 'heart'))
  await backToFaces(page)
  for (const child of [second, third]) {
    await open(page, child)
    await ownLetters(page, child, children)
    await everyPlace(page, others(child, children))
    await backToFaces(page)
    await showsNothingOf(page, children)
  }

  // One that comes while another's letters are open says not whose it is; the way to it is locked.
  await open(page, second)
  await jiashu(first.parent, 'send', '--to', first.name, first.late)
  await control(page, 'ringing').waitFor()
  await showsNothingOf(page, others(second, children))
  await shot('shared-ringing')
  await press(page, 'ringing')
  await page.locator('[data-screen=lock]').waitFor()
  await showsNothingOf(page, [...others(second, children), second])
  // The phone's own ways back and forth lead past no lock.
  await page.goBack()
  await ownLetters(page, second, children)
  await page.goForward()
  await showsNothingOf(page, others(second, children))
  await page.reload()
  await mailbox(page, first.name).waitFor()
  await showsNothingOf(page, children)
  assert.deepEqual(page.faults, [])
}

/** The faces again, however far they are. */
async function backToFaces(page) {
  const faces = page.locator('[data-screen=faces]')
  while (await faces.count() === 0) {
    const was = await page.locator('main').elementHandle()
    await press(page, 'back')
    await until('another screen', () => was.evaluate(main => !main.isConnected || main.dataset.screen === 'faces'))
  }
}

async function open(page, child) {
  await page.evaluate(() => (globalThis.spoken.length = 0))
  await press(page, mailbox(page, child.name))
  await page.locator('[data-screen=lock],[data-screen=mailbox]').waitFor()
  if (await page.locator('[data-screen=lock]').count() > 0) await secret(page, SECRET)
  await page.locator('[data-screen=mailbox]').waitFor()
}

async function secret(page, pictures) {
  for (const picture of pictures) await press(page, `secret-${picture}`)
}

/** All that is for this child, and no more; each letter is opened. */
async function ownLetters(page, child, children) {
  await page.locator('[data-screen=mailbox]').waitFor()
  const closed = await page.locator('[data-control^="letter-"]').evaluateAll(all => all.map(it => it.dataset.control))
  const read = [await page.locator('.written').innerText()]
  for (const name of closed) {
    await showsNothingOf(page, others(child, children))
    await press(page, name)
    await control(page, name).waitFor({ state: 'detached' })
    read.push(await page.locator('.written').innerText())
  }
  await showsNothingOf(page, others(child, children))
  assert.deepEqual(read.sort(), [...child.texts].sort(), child.name)
}

/** Help, and who sees what, are opened from a mailbox. */
async function everyPlace(page, strangers) {
  for (const place of ['help', 'sees']) {
    await press(page, place)
    await page.locator(`[data-screen=${place}]`).waitFor()
    await showsNothingOf(page, strangers)
    await press(page, 'back')
    await page.locator('[data-screen=mailbox]').waitFor()
  }
}

function others(child, children) {
  return children.filter(it => it !== child)
}

/** All that the page holds: text, attributes, what is typed, what is said. */
async function showsNothingOf(page, strangers) {
  const held = await page.evaluate(() => [
    document.documentElement.outerHTML, document.title, location.href, ...globalThis.spoken,
    ...[...document.querySelectorAll('input, textarea')].map(field => field.value),
  ].join('\n'))
  for (const { name, texts, late, sender } of strangers) {
    for (const canary of [...texts, late, sender]) assert.ok(!held.includes(canary), `${canary} of ${name} in ${held}`)
  }
}

function nameIn(face) {
  return face.split(/[,\n]/)[0].trim()
}

function same(one, other) {
  return JSON.stringify([...one].sort()) === JSON.stringify([...other].sort())
}
