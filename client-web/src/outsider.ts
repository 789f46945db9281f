// The page behind a link to a voice note, for somebody without the app: fetches the note once a person presses, opens it
// by the key that stands behind the #, and plays it.

import { element, svg } from './dom.ts'
import { ours } from './languages.ts'
import styles from './outsider.css'
import { CannotOpen } from './seal/primitive.ts'
import { partOf } from './voice/fetch.ts'
import { BadVoiceLink, followLink, parseFragment, type VoiceLink } from './voice/link.ts'
import { SAYINGS } from './voice/saying.ts'
import { Speaker } from './voice/speaker.ts'
import { Stopped, type Part, type Way } from './voice/transfer.ts'
import { CannotPlay } from './voice/types.ts'

const ICONS = {
  play: 'M7 4.5v15l13-7.5z',
  stop: 'M6 6h12v12H6z',
  copy: 'M8 3h12v14H8zM4 7h2v12h10v2H4z',
  save: 'M11 3h2v9h4l-5 6-5-6h4zM4 19h16v2H4z',
}

/** Nobody's: the token in the address says which bytes. */
const WAY: Way = { origin: '', token: null }

const language = ours(navigator.languages)
const say = SAYINGS[language]

class Page {
  readonly #link: VoiceLink
  readonly #part: Part
  readonly #speaker = new Speaker()
  readonly #button = element('button', { class: 'main', type: 'button' })
  readonly #meter = element('progress', { max: '100', hidden: '' })
  readonly #status = element('p', { role: 'status' })
  readonly #more = element('section')
  #sound: Blob | null = null
  #state: 'still' | 'coming' | 'playing' = 'still'

  constructor(link: VoiceLink) {
    this.#link = link
    this.#part = partOf(link.voice)
    this.#button.addEventListener('click', () => void this.#press())
  }

  show(): void {
    const { duration, size } = this.#link.voice
    const facts = element('p', { class: 'muted' }, `${clock(duration)} · ${kilobytes(size)}`)
    fill(this.#button, facts, this.#meter, this.#status, this.#more, element('p', { class: 'muted' }, say.hint))
    this.#turn('still')
  }

  async #press(): Promise<void> {
    if (this.#state === 'playing') return this.#speaker.stop()
    if (this.#state === 'coming') return
    this.#tell('')
    try {
      await this.#speaker.play(this.#come(), percent => this.#meter.value = percent, this.#link.voice.duration)
    } catch (error) {
      this.#fail(error)
    } finally {
      this.#turn('still')
    }
  }

  async #come(): Promise<Blob> {
    this.#turn('coming')
    this.#sound ??= await this.#fetch()
    this.#turn('playing')
    return this.#sound
  }

  async #fetch(): Promise<Blob> {
    this.#tell(say.fetching)
    const sound = await followLink(WAY, this.#link, this.#part, share => this.#meter.value = share * 100)
    this.#tell('')
    return new Blob([sound], { type: this.#link.voice.mediaType })
  }

  #fail(error: unknown): void {
    if (error instanceof Stopped && error.why === 'later') return this.#tell(say.offline)
    if (error instanceof Stopped) return this.#giveUp(say.gone)
    if (error instanceof CannotOpen) return this.#giveUp(say.unsafe)
    if (error instanceof CannotPlay) return this.#offerFile()
    // The press was too long ago for this browser: it wants another.
    if (error instanceof DOMException && error.name === 'NotAllowedError') return this.#tell(say.again)
    throw error
  }

  /** Expired, taken back, gone, fetched too often, or altered: whoever has the link can only ask for another. */
  #giveUp(why: string): void {
    this.#button.hidden = true
    this.#tell(why)
    this.#more.replaceChildren(...askAgain())
    this.#more.querySelector('button')?.focus()
  }

  #offerFile(): void {
    this.#tell(say.unplayable)
    const save = control('a', 'save', say.save)
    save.className = 'button'
    save.href = URL.createObjectURL(this.#sound as Blob)
    save.download = `voice.${/mp4|webm|ogg/.exec(this.#link.voice.mediaType)?.[0] ?? 'bin'}`
    this.#more.replaceChildren(element('p', {}, save))
  }

  #turn(state: 'still' | 'coming' | 'playing'): void {
    this.#state = state
    this.#button.ariaBusy = String(state === 'coming')
    this.#button.replaceChildren(...(state === 'playing' ? face('stop', say.stop) : face('play', say.play)))
    this.#meter.hidden = state === 'still'
    if (state !== 'still') this.#meter.value = 0
  }

  #tell(text: string): void {
    this.#status.textContent = text
  }
}

/** Words to send to whom the link came from. */
function askAgain(): readonly Node[] {
  const text = element('textarea', { readonly: '', rows: '5', 'aria-label': say.ask }, say.request)
  const copy = control('button', 'copy', say.copy)
  copy.addEventListener('click', () => void navigator.clipboard.writeText(say.request).then(
    () => copy.lastChild?.replaceWith(say.copied),
    () => text.select(),
  ))
  return [element('p', {}, say.ask), text, element('p', {}, copy)]
}

function control<Name extends 'button' | 'a'>(name: Name, icon: keyof typeof ICONS, word: string) {
  const made = element(name)
  made.append(...face(icon, word))
  return made
}

function face(icon: keyof typeof ICONS, word: string): [SVGElement, string] {
  return [svg('svg', { viewBox: '0 0 24 24', 'aria-hidden': 'true' }, svg('path', { d: ICONS[icon] })), word]
}

/** "0:42"; a part of a second is one: nothing plays for no time. */
function clock(ms: number): string {
  const seconds = Math.ceil(ms / 1000)
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}

function kilobytes(bytes: number): string {
  const format = new Intl.NumberFormat(language, { style: 'unit', unit: 'kilobyte', maximumFractionDigits: 0 })
  return format.format(Math.ceil(bytes / 1000))
}

function fill(...parts: readonly (Node | string)[]): void {
  document.body.replaceChildren(element('main', {}, element('h1', {}, say.title), ...parts))
}

function start(): void {
  const sheet = new CSSStyleSheet()
  sheet.replaceSync(styles)
  document.adoptedStyleSheets = [sheet]
  document.documentElement.lang = language
  document.title = say.title
  // Another link pasted over this one is another note.
  addEventListener('hashchange', () => location.reload())
  if (!isSecureContext) return fill(element('p', { role: 'status' }, say.insecure))
  try {
    new Page(parseFragment(location.hash.slice(1))).show()
  } catch (error) {
    if (!(error instanceof BadVoiceLink)) throw error
    fill(element('p', { role: 'status' }, say.bad), ...askAgain())
  }
}

start()
