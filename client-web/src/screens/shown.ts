// Text that people wrote, made fit to be shown: it may come from a hostile hand. It goes into text nodes alone.

/** Letters of a name that are shown. */
const MAX_NAME = 60

// Controls but for the line's end, what turns the direction of all that follows, what only hides, halves of a letter.
const UNSEEN =
  /[\p{Cc}\p{Cs}\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e0fff}]/gu

// More marks on one letter than a language has: they would cover what stands around.
const HEAP = /(\p{M}{4})\p{M}+/gu

/** A letter: its lines stay. */
export function shownText(text: string): string {
  return text.replace(UNSEEN, found => (found === '\n' ? '\n' : found === '\t' ? ' ' : '')).replace(HEAP, '$1')
}

/** A name: one line, not long; never empty. */
export function shownName(name: string): string {
  const letters = [...shownText(name).replace(/\s+/g, ' ').trim()]
  return letters.length > MAX_NAME ? letters.slice(0, MAX_NAME).join('') + '…' : letters.join('') || '?'
}

/** A name within a sentence: its direction ends with it. */
export function isolated(name: string): string {
  return `\u2068${shownName(name)}\u2069`
}
