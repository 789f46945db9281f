// What the page for phones costs on a slow line, as the build has packed it.

import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { test } from 'node:test'

/** All that is needed to read and to send, packed, in bytes: what there is now. The aim is 40 KB (docs/performance.md). */
const MAX_FIRST_LOAD = 48 * 1024

const dist = new URL('../dist/', import.meta.url)

/** Where a page is, by the name that it has without its hash. */
function stored(folder: string, page: RegExp): string {
  const name = readdirSync(new URL(folder, dist)).find(name => page.test(name))
  assert.ok(name, String(page))
  return `${folder}/${name}`
}

function read(path: string): string {
  return readFileSync(new URL(path, dist), 'utf8')
}

function packed(path: string): number {
  return readFileSync(new URL(`${path}.br`, dist)).length
}

test('the first load is small: the page, its scripts and one language', () => {
  const page = stored('pages', /^phone-.*\.html$/)
  const scripts = [...read(page).matchAll(/"\/web\/([^"]+\.js)"/g)].map(([, name]) => `files/${name}`)
  const languages = [...read('files.rs').matchAll(/stem: "(?:en|it|lv|ro|zh-Hans)\.js", name: "([^"]+)"/g)]
  const words = Math.max(...languages.map(([, name]) => packed(`files/${name}`)))

  const size = [page, ...scripts].reduce((sum, path) => sum + packed(path), words)

  assert.ok(scripts.length > 0 && languages.length > 3)
  assert.ok(size <= MAX_FIRST_LOAD, `${size} bytes`)
})

test('a page names nothing that the relay does not have, and nobody else', () => {
  for (const name of [/^phone-.*\.html$/, /^outsider-.*\.html$/]) {
    const page = read(stored('pages', name))
    const files = [...page.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, address]) => address ?? '')
    for (const address of files.filter(address => address !== '/manifest.webmanifest')) {
      assert.match(address, /^\/web\//)
      assert.ok(readFileSync(new URL(`files/${address.slice(5)}`, dist)).length > 0)
    }
    assert.doesNotMatch(page, /https?:|\{\{/)
  }
})
