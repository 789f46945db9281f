// Checks the types, bundles what runs in the browser and each test, and packs all of it: run by build.rs in a copy of
// this folder, beside its `node_modules`. Into dist/files/ goes what is kept for ever under a name with a hash in it, into
// dist/pages/ what stands at an address that stays, each packed beside itself as .gz and .br; dist/*.rs are their tables for
// lib.rs. Into tested/ goes each test as one file for `node --test`.

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { basename, extname, resolve } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

import { build, transform } from 'esbuild'
import { minify } from 'terser'

import { png, svg } from './src/icon.mjs'

/** Phones and office computers of the last five years. */
const BROWSERS = ['chrome105', 'firefox121', 'safari16.4']

/** Where the relay hands out dist/files/. */
const WEB = '/web/'

/** Words of the phone's page, two files for each language. */
const WORDS = 'locale/phone/'

/** What the name of the second begins with: the words of rare screens. */
const MORE = /^more-/

const MEDIA_TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.webmanifest': 'application/manifest+json',
}

/** A style sheet comes into its script as text, without what only people read. */
const styles = {
  name: 'styles',
  setup: ({ onLoad }) =>
    onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await transform(readFileSync(path), { loader: 'css', minify: true, target: BROWSERS })
      return { contents: code.trim(), loader: 'text' }
    }),
}

/** What a file is, whatever its content, where its name does not tell. */
const stems = new Map()

const shared = { bundle: true, format: 'esm', charset: 'utf8', logLevel: 'warning', plugins: [styles] }
const forBrowsers = { ...shared, outdir: 'dist/files', minify: true, target: BROWSERS, metafile: true }

execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '--project', 'tsconfig.json'], { stdio: 'inherit' })
rmSync('dist', { recursive: true, force: true })
for (const folder of ['dist/files', 'dist/pages']) mkdirSync(folder, { recursive: true })
await buildPages()
for (const folder of ['files', 'pages']) pack(folder)
await buildTests()

async function buildPages() {
  await bundle('src/enrol/page.ts', 'enrol')
  const icons = { icon: keep('icon.svg', svg()), touch: keep('touch.png', png(180)) }
  const outsider = await bundle('src/outsider.ts', 'outsider')
  page('outsider', { ...icons, manifest: '', root: 'main', scripts: scripts(outsider, outsider.entry) })

  const phone = await bundle('src/phone.tsx', 'phone', true)
  const manifest = '<link rel="manifest" href="/manifest.webmanifest">\n'
  // Its screens are a `main` each.
  page('phone', { ...icons, manifest, root: 'div', scripts: scripts(phone, phone.entry) })
  const drawn = [192, 512].map(size => ({ src: keep(`icon-${size}.png`, png(size)), sizes: `${size}x${size}`, type: 'image/png' }))
  const shown = JSON.parse(readFileSync('src/manifest.json', 'utf8'))
  const any = { src: icons.icon, sizes: 'any', type: 'image/svg+xml' }
  shown.icons = [...drawn, any].flatMap(icon => ['any', 'maskable'].map(purpose => ({ ...icon, purpose })))
  put('manifest.webmanifest', JSON.stringify(shown))
  await buildWorker(phone, Object.values(icons))
}

/** The scripts of a page, by what esbuild says of them. With `splitting` what is not needed at once has its own files. */
async function bundle(entry, name, splitting = false) {
  const names = { entryNames: '[name]-[hash]', chunkNames: '[name]-[hash]' }
  const { metafile } = await build({ ...forBrowsers, ...names, entryPoints: { [name]: entry }, splitting })
  const outputs = metafile.outputs
  for (const path of Object.keys(outputs)) await thin(path)
  for (const [path, { entryPoint }] of Object.entries(outputs)) {
    if (entryPoint?.startsWith(WORDS)) stems.set(basename(path), entryPoint.slice(WORDS.length).replace('.json', '.js'))
  }
  return { outputs, entry: Object.keys(outputs).find(path => outputs[path].entryPoint === entry) }
}

/** The same script with fewer bytes than esbuild leaves. What is stored or sent keeps its names. */
async function thin(path) {
  const compress = { passes: 3, unsafe_arrows: true }
  const { code } = await minify(readFileSync(path, 'utf8'), { module: true, ecma: 2022, compress, format: { ecma: 2022 } })
  writeFileSync(path, code)
}

/** All that the page needs at once is asked for at once, not when one script has named the next. */
function scripts({ outputs }, entry) {
  const needed = new Set()
  const visit = path => {
    for (const { path: next, kind } of outputs[path].imports) {
      if (kind !== 'import-statement' || needed.has(next)) continue
      needed.add(next)
      visit(next)
    }
  }
  visit(entry)
  const links = [...needed].map(path => `<link rel="modulepreload" href="${address(path)}">`)
  return [...links, `<script type="module" src="${address(entry)}"></script>`].join('\n')
}

/** The service worker, which knows by name what it keeps: the page with all its scripts, and of the languages some. */
async function buildWorker({ outputs }, icons) {
  const languages = {}
  const shell = ['/', '/manifest.webmanifest', ...icons]
  for (const [path, { entryPoint }] of Object.entries(outputs)) {
    if (entryPoint?.startsWith(WORDS)) (languages[basename(entryPoint, '.json').replace(MORE, '')] ??= []).push(address(path))
    else shell.push(address(path))
  }
  const kept = { SHELL: shell, WORDS_OF: languages }
  const pages = readdirSync('dist/pages').map(name => readFileSync(`dist/pages/${name}`, 'utf8'))
  const define = { BUILD: JSON.stringify(hash(JSON.stringify([kept, pages]))) }
  for (const [name, value] of Object.entries(kept)) define[name] = JSON.stringify(value)
  const { outputFiles } = await build({ ...forBrowsers, format: 'iife', entryPoints: ['src/sw.ts'], write: false, define })
  put('sw.js', outputFiles[0].contents)
}

/** A page: what stands in double braces in the template is filled in. */
function page(name, values) {
  const template = readFileSync('src/page.html', 'utf8')
  put(`${name}.html`, template.replace(/\{\{(\w+)\}\}/g, (_, key) => values[key]))
}

/** At an address that stays; the hash in its name tells one state from another. */
function put(name, content) {
  writeFileSync(`dist/pages/${hashed(name, content)}`, content)
}

/** For ever, under a name that changes with the content; gives its address. */
function keep(name, content) {
  writeFileSync(`dist/files/${hashed(name, content)}`, content)
  return address(hashed(name, content))
}

function hashed(name, content) {
  const extension = extname(name)
  return `${basename(name, extension)}-${hash(content)}${extension}`
}

function hash(content) {
  return createHash('sha256').update(content).digest('hex').slice(0, 16).toUpperCase()
}

function address(path) {
  return WEB + basename(path)
}

/** Packs the files of a folder, and writes down what is there. */
function pack(folder) {
  const rows = readdirSync(`dist/${folder}`).map(name => {
    const path = resolve('dist', folder, name)
    const plain = readFileSync(path)
    writeFileSync(`${path}.gz`, gzipSync(plain, { level: 9 }))
    const params = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY }
    writeFileSync(`${path}.br`, brotliCompressSync(plain, { params }))
    const bytes = ['', '.gz', '.br'].map(packed => `include_bytes!(${JSON.stringify(path + packed)})`)
    const what = stems.get(name) ?? name.replace(/-[^-.]+(?=\.)/, '')
    const [stem, media] = [what, MEDIA_TYPES[extname(name)]].map(text => JSON.stringify(text))
    return `Asset { stem: ${stem}, name: "${name}", media_type: ${media}, plain: ${bytes[0]}, gzip: ${bytes[1]}, brotli: ${bytes[2]} },\n`
  })
  writeFileSync(`dist/${folder}.rs`, `&[\n${rows.join('')}]`)
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
