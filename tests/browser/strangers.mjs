// A page of somebody else's, open in the same browser, wants what the phone has: the socket, a round, the page in a frame or
// behind a window. None of it is given.
import assert from 'node:assert/strict'
import http from 'node:http'

import { story, told } from './browser.mjs'
import { MICROPHONE, control, face, jiashu, join, phone, press, until } from './phone.mjs'

await story(async browser => {
  const [{ language, card, mother, text }] = told.families
  const stranger = http.createServer((_, answer) => {
    answer.setHeader('Content-Type', 'text/html')
    answer.end('<!doctype html><title>stranger</title>')
  })
  await new Promise(resolve => stranger.listen(0, '127.0.0.1', resolve))
  // The same machine under another name, and under the same at another port.
  const { port } = stranger.address()
  try {
    const page = await phone(browser, language)
    await join(page, card)
    await face(page, 3).waitFor()
    for (const theirs of [`http://127.0.0.1:${port}`, `http://localhost:${port}`]) {
      const evil = await page.context().newPage()
      await evil.goto(theirs)
      assert.deepEqual(await evil.evaluate(attack, told.origin), {
        socket: 'closed 1006', round: 'TypeError', blind: 'opaque', blob: 'TypeError', put: 'TypeError', script: 'error', window: 'severed',
      }, theirs)
      assert.deepEqual(evil.frames().slice(1).map(it => it.url()), ['chrome-error://chromewebdata/'], 'it is in no frame')
      await evil.close()
      // What it opened is a page of ours like any other: it takes over, and gives back.
      for (const other of page.context().pages()) if (other !== page) await other.close()
      await press(page, 'takeOver')
      await control(page, 'takeOver').waitFor({ state: 'detached' })
    }
    const refused = await fetch(`${told.origin}/1`, { method: 'POST', headers: { origin: `http://127.0.0.1:${port}` }, body: '' })
    assert.equal(refused.status, 403)
    // The page itself goes on.
    await jiashu(mother, 'send', '--to', 'Lili', text)
    await until('the letter to come', () => face(page, 3).locator('.unseen').count())
    assert.deepEqual(page.faults, [])
  } finally {
    stranger.closeAllConnections()
    stranger.close()
  }
}, MICROPHONE)

/** Tries everything; in the stranger's page. */
async function attack(origin) {
  const name = error => error.name
  const get = (path, how) => fetch(origin + path, how).then(answer => answer.type === 'opaque' ? 'opaque' : answer.status, name)
  const socket = await new Promise(resolve => {
    const socket = new WebSocket(`${origin.replace('http', 'ws')}/1`)
    socket.onopen = () => resolve('open')
    socket.onclose = ({ code }) => resolve(`closed ${code}`)
  })
  const element = (name, attributes, isLoaded) => new Promise(resolve => {
    const made = Object.assign(document.createElement(name), attributes)
    made.onload = () => resolve(isLoaded(made))
    made.onerror = () => resolve('error')
    document.body.append(made)
  })
  // Whether it is shown there the frame cannot say: its browser is asked.
  await element('iframe', { src: `${origin}/` }, () => null)
  const script = await element('script', { src: `${origin}/sw.js` }, () => 'ran')
  const opened = open(`${origin}/`)
  const severed = await new Promise(resolve => {
    const end = Date.now() + 10_000
    const look = () => opened === null || opened.closed ? resolve('severed') : Date.now() > end ? resolve('reached') : setTimeout(look, 20)
    look()
  })
  return {
    socket, script, window: severed,
    round: await get('/1', { method: 'POST', body: new Uint8Array(8) }),
    // Sent without asking, as a form would be; the answer is not shown, and it is 403.
    blind: await get('/1', { method: 'POST', body: new Uint8Array(8), mode: 'no-cors' }),
    blob: await get('/1/blob/1', { headers: { authorization: 'Bearer x' } }),
    put: await get('/1/blob/1', { method: 'PUT', body: 'x' }),
  }
}
