// How long it takes from opening a card's link until the first letter stands there, on a slow line, and how many bytes: figures
// for docs/performance.md, judged by no test. A card is used once, so each time takes another.
//
//   JIASHU_BROWSER=$(tests/chromium) JIASHU_TOLD='{"origin":"http://127.0.0.1:8080","cards":["…/join#…"],"text":"…"}' node tests/browser/first_letter.mjs
import { story, told } from './browser.mjs'
import { control, face, phone } from './phone.mjs'

// 2G: 250 kbit/s down, 50 up, 300 ms until an answer begins.
const LINE = { offline: false, latency: 300, downloadThroughput: 31_250, uploadThroughput: 6_250 }

await story(async browser => {
  const times = []
  for (const card of told.cards) {
    const page = await phone(browser, 'zh-Hans')
    const wire = await page.context().newCDPSession(page)
    let bytes = 0
    wire.on('Network.loadingFinished', ({ encodedDataLength }) => (bytes += encodedDataLength))
    await wire.send('Network.enable')
    await wire.send('Network.emulateNetworkConditions', LINE)
    const first = await shown(page, async () => {
      await page.goto(card)
      await control(page, 'join').click()
    })
    const cost = bytes
    await page.evaluate(() => navigator.serviceWorker.ready)
    await page.waitForLoadState('networkidle')
    bytes = 0
    const later = await shown(page, () => page.goto(`${told.origin}/`))
    times.push({ first_ms: first, first_bytes: cost, later_ms: later, later_bytes: bytes })
    await page.context().close()
  }
  return { times }
})

/** From the beginning until the letter stands there, in ms. */
async function shown(page, begin) {
  const start = Date.now()
  await begin()
  await face(page, 3).click()
  await page.getByText(told.text).first().waitFor()
  return Date.now() - start
}
