// The page that enrols families from a list: check, make, send, print. Each step has its own module; here they meet
// the person. What the relay put into the page is read once, and nothing of a list is kept beyond the tab.

import { byId, element } from '../dom.ts'
import { filled, wordsOf } from '../words.ts'
import { Zones } from './cell.ts'
import { file, sheets } from './cards.ts'
import cardStyles from './cards.css'
import { check, type Checked } from './check.ts'
import { phones, sharedPhones } from './family.ts'
import type { Finding } from './sheet.ts'
import { NotSent, SignedOut, send } from './send.ts'
import pageStyles from './page.css'
import { Work, type Fate } from './work.ts'

/** A list larger than this is another file: 10,000 families need a tenth of it. */
const MAX_LIST = 32 * 1024 * 1024

/** Faults that are shown; who has more has taken another file. */
const MAX_SHOWN = 200

/** How long a file that is being saved can be read. */
const SAVE_MS = 600_000

/** What the relay says of the programme and of itself. */
interface Given {
  readonly language: string
  readonly origin: string
  readonly zones: readonly string[]
  readonly sites: readonly string[]
  readonly own_word_age: number | null
  readonly programme: string
  /** Shows that a page of the relay's own sends. */
  readonly form_token: string
}

const given: Given = read(document)
const say = wordsOf(given.language)
const zones = new Zones(given.zones)
const work = new Work()

/** Whether families are being made or sent: another list waits. */
let isBusy = false

/** Of the session; after another sign-in it is another, which the page is asked for. */
let formToken: string | null = given.form_token

const list = element('input', { type: 'file', accept: '.csv,.txt,text/csv,text/plain' })
const pasted = element('textarea', { rows: '6', spellcheck: 'false', autocomplete: 'off' })
const checkButton = button('check', say.check, () => void readChosen())
const status = element('p', { role: 'status', tabindex: '-1' })
const meter = element('progress', { hidden: '' })
const found = element('section')
const outcome = element('section')
const printing = element('section')

start()

function start(): void {
  document.adoptedStyleSheets = [sheet(cardStyles), sheet(pageStyles)]
  const root = byId('enrol')
  if (!isSecureContext) {
    root.replaceChildren(element('p', {}, say.needs_https))
    return
  }
  const drop = element('div', { class: 'drop' },
    element('label', {}, say.choose, list),
    element('p', { class: 'muted' }, say.drop),
  )
  root.replaceChildren(
    element('p', { class: 'muted' }, say.intro),
    drop,
    element('label', {}, say.paste, pasted),
    element('p', {}, checkButton),
    status, meter, found, outcome, printing,
  )
  list.addEventListener('change', () => void readFile(list.files?.[0]))
  // The same file, corrected, is chosen again.
  list.addEventListener('click', () => (list.value = ''))
  drop.addEventListener('dragover', event => event.preventDefault())
  drop.addEventListener('drop', event => {
    event.preventDefault()
    void readFile(event.dataTransfer?.files[0])
  })
  addEventListener('beforeunload', event => {
    if (work.isAtRisk) event.preventDefault()
  })
}

async function readChosen(): Promise<void> {
  if (isBusy) return
  if (pasted.value.trim() === '') await readFile(list.files?.[0])
  else show(new TextEncoder().encode(pasted.value))
}

async function readFile(chosen: File | undefined): Promise<void> {
  if (chosen === undefined || isBusy) return
  if (chosen.size > MAX_LIST) {
    tell(say.too_large)
    return
  }
  tell(say.reading)
  try {
    const bytes = new Uint8Array(await chosen.arrayBuffer())
    if (!isBusy) show(bytes)
  } catch (error) {
    // A file that was changed since it was chosen is read no more, and a folder never.
    list.value = ''
    tell(filled(say.broken, { reason: String(error) }))
  }
}

/** The dry run: as `jiashu ngo enrol --dry-run` has it. */
function show(bytes: Uint8Array): void {
  // The latest date that has begun somewhere: a worker in Asia may be a day ahead of UTC.
  const today = new Date(Date.now() + 14 * 3_600_000).toISOString().slice(0, 10)
  const checked = check(bytes, { today, sites: given.sites, ownWordAge: given.own_word_age, zones })
  const { families, faults, faulty } = checked
  const members = families.reduce((sum, family) => sum + family.members.length, 0)
  const cards = families.reduce((sum, family) => sum + phones(family).length, 0)
  tell(families.length > 0 ? filled(say.found, { families: families.length, members, cards }) : say.nothing)
  outcome.replaceChildren()
  found.replaceChildren(
    ...(faults.length > 0 ? [faultTable(faults)] : []),
    ...(faulty > 0 ? [element('p', {}, filled(say.skipped, { count: faulty }))] : []),
    ...notes(checked),
    ...(families.length > 0 ? [enrolButton(checked)] : []),
  )
}

// What is wrong is said in the words of the command line, which are English. On a narrow screen each row is a block
// (`.cards`), so its cells name their columns, and all keep their roles.
function faultTable(faults: readonly Finding[]): HTMLElement {
  const names = [say.row, say.column, say.case_code, say.reason]
  const head = names.map(name => element('th', { role: 'columnheader', scope: 'col' }, name))
  const rows = faults.slice(0, MAX_SHOWN).map(({ row, column, case_code, reason }) => {
    const cells = [String(row), column, case_code ?? '–', reason].map((text, at) => (
      element('td', { role: 'cell', 'data-label': names[at] ?? '' }, text)
    ))
    cells.at(-1)?.setAttribute('lang', 'en')
    return element('tr', { role: 'row' }, ...cells)
  })
  return element('table', { class: 'cards faults', role: 'table' },
    element('caption', {}, filled(say.faults, { count: faults.length })),
    element('thead', { role: 'rowgroup' }, element('tr', { role: 'row' }, ...head)),
    element('tbody', { role: 'rowgroup' }, ...rows),
  )
}

function notes({ families, warnings }: Checked): HTMLElement[] {
  const rows = new Map<string, { readonly finding: Finding, readonly rows: number[] }>()
  for (const finding of warnings) {
    const key = JSON.stringify([finding.column, finding.reason])
    const same = rows.get(key)
    if (same === undefined) rows.set(key, { finding, rows: [finding.row] })
    else same.rows.push(finding.row)
  }
  const warned = [...rows.values()].map(({ finding, rows }) => (
    filled(say.note, { rows: rows.join(', '), column: finding.column, reason: finding.reason })
  ))
  const shared = sharedPhones(families).map(({ phone, families, members }) => (
    filled(say.shared, { phone, members, families: families.join(', ') })
  ))
  const items = [...warned, ...shared].map(text => element('li', {}, text))
  return items.length > 0 ? [element('h2', {}, say.notes), element('ul', {}, ...items)] : []
}

function enrolButton(checked: Checked): HTMLElement {
  const count = checked.families.length
  return element('p', {}, button('send', filled(say.enrol, { count }), () => void enrol(checked)))
}

async function enrol({ families }: Checked): Promise<void> {
  await busy(async () => {
    await work.draw(families, given.origin, done => progress(say.drawing, done, families.length))
    await submit()
  })
  const changed = work.changed(families)
  if (changed.length > 0) outcome.append(told(say.changed, changed))
}

/** Sends what has no answer yet, and shows what came of all; the cards stand there whatever happens. */
async function submit(): Promise<void> {
  const waiting = work.waiting
  let done = 0
  let trouble: string | null = null
  try {
    formToken ??= await freshToken()
    const door = { url: location.pathname, csrf: formToken, fetch: fetch.bind(window), wait }
    await send(door, waiting, (family, answer) => {
      work.settle(family, answer)
      progress(say.sending, ++done, waiting.length)
    })
  } catch (error) {
    if (error instanceof SignedOut) {
      trouble = say.signed_out
      formToken = null
    } else if (error instanceof NotSent) trouble = say.not_sent
    else trouble = filled(say.broken, { reason: String(error) })
  }
  found.replaceChildren()
  showOutcome(trouble)
  showCards()
}

/** The token of whoever is signed in by now; throws `SignedOut` if nobody is. */
async function freshToken(): Promise<string> {
  const response = await fetch(location.pathname, { redirect: 'manual' }).catch((error: unknown) => {
    throw new NotSent(String(error))
  })
  if (!response.ok) throw new SignedOut()
  const { programme, form_token } = read(new DOMParser().parseFromString(await response.text(), 'text/html'))
  // Who signed in to another programme would enrol the families there.
  if (programme !== given.programme) throw new SignedOut()
  return form_token
}

function read(page: Document): Given {
  return JSON.parse(page.getElementById('given')?.textContent ?? '')
}

function showOutcome(trouble: string | null): void {
  const of = (fate: Fate) => work.told.filter(told => told.fate === fate)
  const codes = (fate: Fate) => of(fate).map(told => told.caseCode)
  const ours = of('active').length + of('not_active').length
  const waiting = of('drawn').length
  tell([trouble ?? '', filled(say.enrolled, { families: ours, cards: work.cards.length })].join(' ').trim())
  const parts: HTMLElement[] = []
  if (waiting > 0) {
    parts.push(element('p', {}, filled(say.waiting, { count: waiting })))
    parts.push(element('p', {}, button('again', say.again, () => void busy(submit))))
  }
  if (of('elsewhere').length > 0) parts.push(told(say.elsewhere, codes('elsewhere')))
  const refused = of('refused').map(({ caseCode, reason }) => `${caseCode}: ${reason}`)
  if (refused.length > 0) parts.push(told(say.refused, refused))
  if (of('not_active').length > 0) parts.push(told(say.not_active, codes('not_active')))
  outcome.replaceChildren(...parts)
}

function told(heading: string, lines: readonly string[]): HTMLElement {
  return element('div', {},
    element('h2', {}, heading),
    element('ul', {}, ...lines.map(line => element('li', {}, line))),
  )
}

function showCards(): void {
  if (work.allCards.length === 0) {
    printing.replaceChildren()
    return
  }
  const drawn = sheets(work.cards)
  const saveList = () => {
    save('invites.json', 'application/json', JSON.stringify(work.allCards, null, 2))
    work.linksAreSafe()
  }
  const savePage = () => {
    save('cards.html', 'text/html', file(drawn, cardStyles))
    // What is not answered is not on the page.
    if (work.waiting.length === 0) work.linksAreSafe()
  }
  const buttons = [
    ...(drawn.length > 0 ? [button('print', say.print, () => print()), plain('save-page', say.save_page, savePage)] : []),
    plain('save-list', say.save_list, saveList),
    ...(work.waiting.length === 0 ? [plain('forget', say.forget, forget)] : []),
  ]
  printing.replaceChildren(
    element('h2', {}, say.cards),
    element('p', {}, say.hand_out),
    element('p', { class: 'bar' }, ...buttons),
    // A sheet is wider than a telephone: it is moved within this, by keys, too.
    element('div', { class: 'paper', tabindex: '0', role: 'region', 'aria-label': say.cards }, ...drawn),
  )
}

function button(id: string, word: string, act: () => void): HTMLButtonElement {
  const made = element('button', { type: 'button', id }, word)
  made.addEventListener('click', act)
  return made
}

function plain(id: string, word: string, act: () => void): HTMLButtonElement {
  const made = button(id, word, act)
  made.className = 'plain'
  return made
}

function save(name: string, type: string, content: string): void {
  const url = URL.createObjectURL(new Blob([content], { type }))
  element('a', { href: url, download: name }).click()
  // Some browsers ask where to, and read only then.
  setTimeout(() => URL.revokeObjectURL(url), SAVE_MS)
}

function forget(): void {
  work.forget()
  list.value = ''
  pasted.value = ''
  outcome.replaceChildren()
  printing.replaceChildren()
  tell(say.forgotten)
  status.focus()
}

async function busy(act: () => Promise<void>): Promise<void> {
  const buttons = [...document.querySelectorAll<HTMLButtonElement>('#enrol button')]
  buttons.forEach(button => (button.disabled = true))
  isBusy = true
  try {
    await act()
  } catch (error) {
    tell(filled(say.broken, { reason: String(error) }))
  } finally {
    buttons.forEach(button => (button.disabled = false))
    isBusy = false
    meter.hidden = true
    status.focus()
  }
}

function progress(sentence: string, done: number, count: number): void {
  meter.hidden = false
  meter.max = count
  meter.value = done
  // It is read out: ten times is enough.
  if (done % Math.ceil(count / 10) === 0 || done === count) tell(filled(sentence, { done, count }))
}

function tell(text: string): void {
  status.textContent = text
}

function wait(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}

function sheet(text: string): CSSStyleSheet {
  const sheet = new CSSStyleSheet()
  sheet.replaceSync(text)
  return sheet
}
