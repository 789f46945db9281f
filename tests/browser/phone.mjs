// A phone with the page on it: what a person does with it, without a word being read, and what others do by the command line
// meanwhile.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import fs from 'node:fs'
import { promisify } from 'node:util'

import { heard, somebody, told } from './browser.mjs'

/** Something that takes as long as it takes; on a machine at work with others, longer. */
const DEADLINE_MS = 60_000

const run = promisify(execFile)

/** What a browser is started with that has a microphone: it hears beeps. */
export const MICROPHONE = [
  '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', '--autoplay-policy=no-user-gesture-required',
]

/** A phone on which the page has not been opened. */
export async function phone(browser, language, options = {}) {
  const viewport = { width: 360, height: 640 }
  const page = held(await somebody(browser, { locale: language, viewport, hasTouch: true, permissions: ['microphone'], ...options }))
  // What it says aloud.
  await page.addInitScript(() => {
    globalThis.spoken = []
    const { speak } = SpeechSynthesis.prototype
    SpeechSynthesis.prototype.speak = function (saying) {
      globalThis.spoken.push(saying.text)
      speak.call(this, saying)
    }
  })
  return page
}

/** The page once more on the same phone. */
export async function tab(context) {
  const page = held(heard(await context.newPage()))
  await page.goto(`${told.origin}/`)
  return page
}

function held(page) {
  page.setDefaultTimeout(DEADLINE_MS)
  page.actions = 0
  return page
}

/** A control by its name; which one, where several have it. */
export function control(page, name) {
  return page.locator(`[data-control="${name}"]`)
}

/** One action of a person. */
export async function press(page, name) {
  page.actions++
  await (typeof name === 'string' ? control(page, name) : name).first().click()
}

/** The face of a member, whatever family it is in. */
export function face(page, member) {
  return page.locator(`[data-control^="face-"][data-control$="-${member}"]`)
}

/** Speaks for two seconds, and goes on. */
export async function speak(page) {
  await press(page, 'record')
  await until('two seconds to be said', async () => /0[:,.]0?[2-9]/.test(await page.locator('.meter-line').textContent()))
}

/** Opens an invite's link and says that this will be their phone. */
export async function join(page, link) {
  await page.goto(link)
  await press(page, 'join')
}

/** Joins by each of these cards; a school's opens several families. */
export async function joinBy(page, cards) {
  for (const card of cards) {
    await join(page, card)
    await page.locator('main:not([data-screen=join])').waitFor()
  }
}

/** The face of whom its family calls so. */
export function mailbox(page, name) {
  return page.locator('[data-control^="face-"]', { hasText: name })
}

/** Waits until that is so. */
export async function until(what, look) {
  const end = Date.now() + DEADLINE_MS
  for (;;) {
    const found = await look()
    if (found) return found
    assert.ok(Date.now() < end, `waited in vain: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

/** What somebody's command line answers, an object a line. */
export async function jiashu(home, ...words) {
  const { stdout } = await run(told.jiashu, ['--json', '--home', home, ...words])
  return stdout.split('\n').filter(line => line !== '').map(line => JSON.parse(line))
}

/** So far the relay's clock is ahead of this one, in ms. */
let ahead = 0

/** What the relay's clock shows. */
export function now() {
  return Date.now() + ahead
}

/** Has so much time pass on the relay's clock, at once: whole seconds, and perhaps one more. */
export function pass(ms) {
  ahead += Math.ceil(ms / 1000) * 1000
  fs.writeFileSync(`${told.clock}.new`, `+${ahead / 1000}\n`)
  fs.renameSync(`${told.clock}.new`, told.clock)
}
