// The languages that pages speak, and which of them a person reads.

/** In their own words, by their BCP 47 tags. */
export const LANGUAGES = { en: 'English', 'zh-Hans': '中文', ro: 'Română', lv: 'Latviešu', it: 'Italiano' } as const

export type Language = keyof typeof LANGUAGES

const TAGS = Object.keys(LANGUAGES) as Language[]

/** The first of ours that a person reads, by the tags of a browser; English where none is. */
export function ours(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const first = tag.toLowerCase().split('-')[0] ?? ''
    const found = first === 'cmn' ? 'zh-Hans' : TAGS.find(it => it.split('-')[0] === first)
    if (found !== undefined) return found
  }
  return 'en'
}
