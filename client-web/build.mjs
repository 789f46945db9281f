// Checks the types, bundles each page and each test, and packs the pages: run by build.rs in a copy of this folder,
// beside its `node_modules`. Into dist/ go NAME-HASH.js and, beside it, the same as .gz and .br; into tested/ each test
// as one file for `node --test`.

import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

import { build } from 'esbuild'

/** A page each: what runs in the browser begins here. */
const PAGES = { enrol: 'src/enrol/page.ts' }

/** Phones and office computers of the last five years. */
const BROWSERS = ['chrome105', 'firefox121', 'safari16.4']

const shared = { bundle: true, format: 'esm', charset: 'utf8', logLevel: 'warning', loader: { '.css': 'text' } }

execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '--project', 'tsconfig.json'], { stdio: 'inherit' })
await buildPages()
await buildTests()

async function buildPages() {
  rmSync('dist', { recursive: true, force: true })
  await build({
    ...shared,
    entryPoints: PAGES,
    entryNames: '[name]-[hash]',
    outdir: 'dist',
    minify: true,
    target: BROWSERS,
  })
  for (const name of readdirSync('dist')) {
    const plain = readFileSync(`dist/${name}`)
    writeFileSync(`dist/${name}.gz`, gzipSync(plain, { level: 9 }))
    const quality = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY }
    writeFileSync(`dist/${name}.br`, brotliCompressSync(plain, { params: quality }))
  }
}

async function buildTests() {
  rmSync('tested', { recursive: true, force: true })
  const tests = readdirSync('test').filter(name => name.endsWith('.ts'))
  await build({
    ...shared,
    entryPoints: tests.map(name => `test/${name}`),
    outdir: 'tested',
    outExtension: { '.js': '.mjs' },
    platform: 'node',
    target: 'node18',
  })
}
