// Voice notes that come otherwise than they were said, by whoever stands on the line: none of them is played, a word says why,
// and once the line is honest the same letter is heard.
import assert from 'node:assert/strict'

import { look, story, told } from './browser.mjs'
import { MICROPHONE, face, jiashu, join, phone, press, until } from './phone.mjs'

/** A sealed chunk and its tag. */
const CHUNK = 16 * 1024 + 16

/** What is done to the bytes; and the word of it: a file that ends too soon is a line that breaks. */
const HANDS = {
  'chunks in another order': bytes => Buffer.concat([bytes.subarray(CHUNK, 2 * CHUNK), bytes.subarray(0, CHUNK), bytes.subarray(2 * CHUNK)]),
  'a chunk of another': (bytes, other) => Buffer.concat([other.subarray(0, CHUNK), bytes.subarray(CHUNK)]),
  'one bit': bytes => Buffer.concat([bytes.subarray(0, -1), Buffer.from([bytes.at(-1) ^ 1])]),
  'tail of zeros': bytes => Buffer.concat([bytes.subarray(0, -CHUNK), Buffer.alloc(CHUNK)]),
  'tail cut': bytes => bytes.subarray(0, CHUNK),
}

/** How it is said, by language. */
const WORDS = {
  'zh-Hans': { altered: '这段语音跟寄出时不一样，不能播放。', cut: '现在没有网络。' },
  ro: { altered: 'Sunetul nu este cel trimis. Nu este redat.', cut: 'Acum nu este rețea.' },
}

await story(async browser => {
  await Promise.all(told.families.map(family => listen(browser, family)))
}, MICROPHONE)

async function listen(browser, { language, card, mother, voice }) {
  const page = await phone(browser, language)
  await page.addInitScript(() => {
    globalThis.heard = []
    const play = HTMLMediaElement.prototype.play
    HTMLMediaElement.prototype.play = function () {
      this.addEventListener('playing', () => globalThis.heard.push(this.duration))
      return play.call(this)
    }
  })
  const heard = () => page.evaluate(() => globalThis.heard.length)
  await join(page, card)
  await face(page, 3).waitFor()
  await jiashu(mother, 'voice', 'send', voice, '--to', 'Lili')
  await jiashu(mother, 'voice', 'send', voice, '--to', 'Lili')
  await until('one to have come', () => face(page, 3).locator('.unseen').count())
  await press(page, face(page, 3))

  const sounds = new Map()
  let hand = bytes => bytes
  await page.route('**/1/blob/*', async route => {
    const headers = route.request().headers()
    delete headers.range
    const answer = await route.fetch({ headers })
    const bytes = await answer.body()
    const { pathname } = new URL(route.request().url())
    sounds.set(pathname, sounds.get(pathname) ?? bytes)
    const other = [...sounds.keys()].find(path => path !== pathname)
    await route.fulfill({ status: 200, body: hand(bytes, sounds.get(other)) })
  })

  // One that is honest is heard, and has been seen by whoever stands there.
  await press(page, 'play')
  await until('the first to be heard', heard)
  await until('its end', async () => await page.locator('.voice progress').count() === 0)
  const before = await heard()
  await press(page, page.locator('[data-control^="letter-"]'))
  const told = page.locator('.told')
  for (const [name, alter] of Object.entries(HANDS)) {
    hand = alter
    await press(page, 'play')
    await until(`${name}: a word`, async () => (await told.innerText()) !== '')
    assert.equal(await told.innerText(), WORDS[language][name === 'tail cut' ? 'cut' : 'altered'], name)
    assert.equal(await heard(), before, `${name} is not played`)
    if (name === 'one bit') await look(page, `phone-altered-${language}`)
    // Who goes elsewhere has been told; the letter, which nobody has heard, is the open one again.
    await press(page, 'help')
    await press(page, 'back')
    await page.locator('[data-screen=mailbox]').waitFor()
  }
  hand = bytes => bytes
  await press(page, 'play')
  await until('the same letter to be heard', async () => await heard() > before)
}
