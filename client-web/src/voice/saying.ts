// What the page behind a link to a voice note says.

import ALL from '../../locale/outsider.json'

export type Language = keyof typeof ALL
export type Saying = (typeof ALL)['en']

/** By their BCP 47 tags; each has the same keys. */
export const SAYINGS: Readonly<Record<Language, Saying>> = ALL

/** The first of a person's languages that is one of ours; English where none is. */
export function languageOf(wanted: readonly string[]): Language {
  const ours = Object.keys(ALL) as Language[]
  const primary = (tag: string) => tag.split('-')[0]?.toLowerCase()
  for (const tag of wanted) {
    const found = ours.find(it => primary(it) === primary(tag))
    if (found !== undefined) return found
  }
  return 'en'
}
