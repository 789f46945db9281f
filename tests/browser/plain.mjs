// Under a name of the local network, without https, a browser gives no keys: the page says so, and does not stand there empty.
import assert from 'node:assert/strict'

import { look, story, told } from './browser.mjs'
import { phone } from './phone.mjs'

const { port } = new URL(told.origin)

await story(async browser => {
  told.origin = `http://relay.test:${port}`
  for (const { language, card } of told.families) {
    const page = await phone(browser, language)
    for (const path of ['/', `/join${new URL(card).hash}`]) {
      await page.goto(told.origin + path)
      const alert = page.getByRole('alert')
      await alert.waitFor()
      assert.match(await alert.innerText(), /https:\/\//)
      assert.equal(await page.evaluate(() => location.href), `${told.origin}/`, 'a secret leaves the address')
      // A browser's own word that it does not keep others away here.
      page.faults = page.faults.filter(fault => !/Cross-Origin-Opener-Policy/.test(fault))
      await look(page, `phone-plain-${language}`)
      await page.goto('about:blank')
    }
  }
}, ['--host-resolver-rules=MAP relay.test 127.0.0.1'])
