// The page for phones is kept on the phone: the second time it costs nothing but the sync, and without a line it opens. Between
// browser and relay stands a line that can be cut, and that sees what is asked.
import assert from 'node:assert/strict'
import net from 'node:net'

import { somebody, story, told } from './browser.mjs'

class Line {
  asked = []
  #open = new Set()
  #server

  async lay(to) {
    this.#server = net.createServer(phone => {
      const relay = net.connect({ host: to.hostname, port: to.port })
      phone.on('data', bytes => {
        const [, path] = /^[A-Z]+ (\S+) HTTP/.exec(bytes.toString('latin1')) ?? []
        if (path !== undefined && !path.startsWith('/1')) this.asked.push(path)
      })
      for (const [one, other] of [[phone, relay], [relay, phone]]) {
        this.#open.add(one)
        one.on('error', () => other.destroy())
        one.on('close', () => this.#open.delete(one))
        one.pipe(other)
      }
    })
    await new Promise(resolve => this.#server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${this.#server.address().port}`
  }

  cut() {
    this.#server.close()
    for (const socket of this.#open) socket.destroy()
  }
}

await story(async browser => {
  const line = new Line()
  told.origin = await line.lay(new URL(told.origin))
  const page = await somebody(browser, { locale: 'ro' })
  const shown = async () => {
    const screen = page.locator('#page main')
    await screen.waitFor()
    return screen.innerText()
  }

  await page.goto(`${told.origin}/`)
  const first = await shown()
  await page.evaluate(() => navigator.serviceWorker.ready)
  // All is asked for before the worker is at work, but for pictures that nobody waits for.
  await page.waitForLoadState('networkidle')
  const words = line.asked.filter(path => path.startsWith('/web/ro-'))
  assert.deepEqual(words, [...new Set(words)], 'the words come once')
  assert.ok(words.length > 0, `${line.asked}`)

  line.asked.length = 0
  await page.goto('about:blank')
  await page.goto(`${told.origin}/join#kept-to-itself`)
  await shown()
  assert.equal(await page.evaluate(() => location.href), `${told.origin}/`, 'a secret leaves the address at once')
  await page.waitForLoadState('networkidle')
  assert.deepEqual(line.asked, [], 'nothing but the sync')

  line.cut()
  for (const path of ['/', '/join']) {
    await page.goto('about:blank')
    await page.goto(told.origin + path)
    assert.equal(await shown(), first, path)
  }
  return { shown: first }
})
