// A browser for a story: pages in two sizes and several languages, of which each is looked at as people do, and as those do
// who see or hear it otherwise.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { createRequire } from 'node:module'

const require = createRequire(path.join(process.env.JIASHU_BROWSER, 'x'))
const { chromium } = require('playwright-core')
const AXE = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8')

/** What the test told this story. */
export const told = JSON.parse(process.env.JIASHU_TOLD)

/** A small phone and a desk. */
export const SIZES = [{ width: 360, height: 640 }, { width: 1280, height: 800 }]

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

/** Tells a story with a browser, and ends it whatever comes. */
export async function story(tell, args = []) {
  const browser = await chromium.launch({
    executablePath: process.env.JIASHU_CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', ...args]
  })
  try {
    const answer = await tell(browser)
    console.log(JSON.stringify(answer ?? {}))
  } finally {
    await browser.close()
  }
}

/** Somebody's browser. */
export async function somebody(browser, options = {}) {
  const context = await browser.newContext({ locale: 'en', viewport: SIZES[1], ...options })
  return heard(await context.newPage())
}

/** Whatever a page writes to its console, or fetches from elsewhere, is a fault. */
export function heard(page) {
  page.faults = []
  page.on('console', message => {
    if (['error', 'warning'].includes(message.type())) page.faults.push(message.text())
  })
  page.on('pageerror', error => page.faults.push(String(error)))
  page.on('request', request => {
    const url = request.url()
    if (!/^(data|blob):/.test(url) && !url.startsWith(told.origin)) page.faults.push(`asked ${url}`)
  })
  return page
}

/** Signs in by a link that works once. */
export async function comeIn(page, link) {
  await page.goto(link)
  await page.locator('main form button').click()
  await page.waitForURL(url => !url.pathname.startsWith('/staff/in/'))
}

/** Looks at the page in each size, light and dark: nothing stands over the edge, nobody is kept out. Keeps pictures under `name`. */
export async function look(page, name, { sizes = SIZES, full = false, colors = ['dark', 'light'] } = {}) {
  for (const size of sizes) {
    await page.setViewportSize(size)
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
    assert.ok(over <= 0, `${name}: ${over} px stand over the edge of ${size.width}`)
    for (const colorScheme of colors) {
      await page.emulateMedia({ colorScheme })
      await nobodyIsKeptOut(page, `${name} ${size.width} ${colorScheme}`)
    }
    const file = path.join(process.env.JIASHU_IMAGES, `${name}-${size.width}.png`)
    await page.screenshot({ path: file, fullPage: full, animations: 'disabled' })
  }
  assert.deepEqual(page.faults, [], name)
}

async function nobodyIsKeptOut(page, name) {
  await page.evaluate(AXE)
  const found = await page.evaluate(async rules => {
    const { violations } = await axe.run({ runOnly: rules })
    return violations.map(one => `${one.id}: ${one.nodes.map(node => node.target.join(' ')).slice(0, 4).join(' | ')}`)
  }, RULES)
  assert.deepEqual(found, [], name)
}

/** Bytes of the page itself as they came over the wire. */
export async function bytes(page, path) {
  const answer = await page.goto(told.origin + path)
  const { responseBodySize, responseHeadersSize } = await answer.request().sizes()
  return responseBodySize + responseHeadersSize
}
