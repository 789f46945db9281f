// The cards, as on the page that the command line prints (`client-cli/src/ngo/page.rs`): one a phone, four on a sheet
// of A4. Names are text, never HTML.

import qrcode from 'qrcode-generator'

import words from '../../locale/cards.json'
import { element, svg } from '../dom.ts'
import type { PrintedCard } from './draw.ts'

/** Cards on a sheet of A4, two by two. */
const PER_SHEET = 4

/** Light modules around a QR code, and what one measures in the drawing. */
const QUIET = 4
const MODULE = 4

export function sheets(cards: readonly PrintedCard[]): HTMLElement[] {
  const drawn = cards.map(card)
  const starts = drawn.flatMap((_, at) => (at % PER_SHEET === 0 ? [at] : []))
  return starts.map(at => element('div', { class: 'sheet' }, ...drawn.slice(at, at + PER_SHEET)))
}

/** A file with these sheets that asks nothing of any network. `styles` is what the page has for cards. */
export function file(sheets: readonly HTMLElement[], styles: string): string {
  const policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="${policy}">`,
    '<meta name="referrer" content="no-referrer">',
    '<meta name="robots" content="noindex">',
    '<title>Cards: print, then delete this file</title>',
    `<style>${styles}</style>`,
    '<body>',
    ...sheets.map(sheet => sheet.outerHTML),
    '</body>',
    '</html>',
    '',
  ].join('\n')
}

/** The wording for a language tag, by its first part; English where we have no other. */
function languageOf(tag: string): keyof typeof words {
  const first = tag.split('-')[0]?.toLowerCase()
  return first === 'zh' || first === 'cmn' ? 'zh-Hans' : first === 'ro' ? 'ro' : 'en'
}

function card(card: PrintedCard): HTMLElement {
  const lang = languageOf(card.language)
  const say = words[lang]
  const names = card.members.join(lang === 'zh-Hans' ? '、' : ', ')
  return element('section', { class: 'card', lang },
    element('h2', {}, say.title),
    element('p', { class: 'who' }, `${say.for_whom}: ${names}`),
    element('p', { class: 'phone' }, `${say.phone}: ${card.device}`),
    square(card.link),
    element('ol', {}, ...say.steps.map(step => element('li', {}, step))),
    element('p', { class: 'warning' }, say.warning),
    element('p', { class: 'link' }, card.link),
    element('p', { class: 'foot' },
      element('span', {}, `${say.valid_until} `, element('b', {}, card.expires_on)),
      element('span', {}, `${say.code} ${card.case_code}`),
    ),
  )
}

function square(link: string): SVGElement {
  const code = qrcode(0, 'M')
  code.addData(link, 'Byte')
  code.make()
  const count = code.getModuleCount()
  const size = (count + 2 * QUIET) * MODULE
  const dark: string[] = []
  for (let row = 0; row < count; row++) {
    for (let column = 0; column < count; column++) {
      const [x, y] = [(column + QUIET) * MODULE, (row + QUIET) * MODULE]
      if (code.isDark(row, column)) dark.push(`M${x} ${y}h${MODULE}v${MODULE}h-${MODULE}z`)
    }
  }
  return svg('svg', { viewBox: `0 0 ${size} ${size}`, role: 'img', 'aria-label': 'QR', 'shape-rendering': 'crispEdges' },
    svg('path', { d: `M0 0h${size}v${size}H0z`, fill: '#fff' }),
    svg('path', { d: dark.join(''), fill: '#000' }),
  )
}
