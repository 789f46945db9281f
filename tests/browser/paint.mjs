// When something is first painted on a slow line, and how many bytes a page is: a figure for docs/performance.md, judged by no test.
//
//   JIASHU_BROWSER=$(tests/chromium) JIASHU_TOLD='{"origin":"http://127.0.0.1:8080","link":"…/staff/in/…"}' node tests/browser/paint.mjs PATH…
import { comeIn, somebody, story, told } from './browser.mjs'

// What Chromium's developer tools once called "Slow 3G", by its line: 400 kbit/s each way, 400 ms until an answer begins.
const LINE = { offline: false, latency: 400, downloadThroughput: 50_000, uploadThroughput: 50_000 }
const TIMES = 5

await story(async browser => {
  const page = await somebody(browser, { viewport: { width: 360, height: 640 } })
  await comeIn(page, told.link)
  const wire = await page.context().newCDPSession(page)
  await wire.send('Network.enable')
  await wire.send('Network.emulateNetworkConditions', LINE)
  const figures = {}
  for (const path of process.argv.slice(2)) {
    const paints = []
    let size = 0
    for (let time = 0; time < TIMES; time += 1) {
      const answer = await page.goto(told.origin + path)
      const { responseBodySize, responseHeadersSize } = await answer.request().sizes()
      size = responseBodySize + responseHeadersSize
      paints.push(await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime))
    }
    paints.sort((one, other) => one - other)
    figures[path] = { bytes: size, first_paint_ms: Math.round(paints[Math.floor(TIMES / 2)]) }
  }
  return figures
})
