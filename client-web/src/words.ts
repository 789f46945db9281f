// What the page says, in the language of the person; English where we have no other.

import en from '../locale/en.json'
import it from '../locale/it.json'
import lv from '../locale/lv.json'
import ro from '../locale/ro.json'
import zhHans from '../locale/zh-Hans.json'

export type Words = typeof en

/** By their BCP 47 tags; each has the same keys. */
export const ALL: Readonly<Record<string, Words>> = { en, it, lv, ro, 'zh-Hans': zhHans }

export function wordsOf(language: string): Words {
  return ALL[language] ?? en
}

/** A sentence with what stands in braces filled in. */
export function filled(sentence: string, values: Readonly<Record<string, string | number>>): string {
  return sentence.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole))
}
