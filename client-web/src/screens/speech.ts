// Prompts are spoken by the device's own voice, in the language of the page. Nothing is spoken while a person records.

import { language } from './words.ts'

/** Voices are kept under the tags of countries. */
const VOICE: Readonly<Record<string, string>> = {
  'zh-Hans': 'zh-CN', en: 'en-GB', ro: 'ro-RO', lv: 'lv-LV', it: 'it-IT',
}

let isHushed = false

export function setHushed(hushed: boolean): void {
  isHushed = hushed
  if (hushed) hush()
}

export function hushed(): boolean {
  return isHushed
}

/** Ends what is being said. */
export function hush(): void {
  globalThis.speechSynthesis?.cancel()
}

/** Says it after what is being said; `tag` is of a letter's own language. */
export function speak(text: string, tag: string = language, onStart?: () => void, onEnd?: () => void): void {
  if (isHushed || globalThis.speechSynthesis === undefined) return
  const saying = new SpeechSynthesisUtterance(text)
  saying.lang = VOICE[tag] ?? tag
  if (onStart !== undefined) saying.onstart = onStart
  if (onEnd !== undefined) saying.onend = saying.onerror = onEnd
  speechSynthesis.speak(saying)
}

/** Reads the screen: its own prompt, then each control, which lights up as it is spoken of. */
export function readAloud(root: ParentNode): void {
  hush()
  for (const spoken of root.querySelectorAll<HTMLElement>('[data-say]')) {
    const light = (on: boolean) => () => void spoken.classList.toggle('said', on)
    speak(spoken.dataset['say'] ?? '', language, light(true), light(false))
  }
}
