// What the page says, in the language of the person, and times and numbers as that language has them.

import type en from '../../locale/phone/en.json'
import type moreEn from '../../locale/phone/more-en.json'
import { ours } from '../languages.ts'
import type { Millis } from '../proto/id.ts'

type Loose<T> = T extends string ? string
  : T extends readonly unknown[] ? readonly string[]
  : { readonly [K in keyof T]: Loose<T[K]> }
type Plural = Readonly<Partial<Record<Intl.LDMLPluralRule, string>>>

/** All languages have the same keys; of a count each has its own forms. */
type Same<T extends { readonly counts: object }> = Omit<Loose<T>, 'counts'> & {
  readonly counts: Readonly<Record<keyof T['counts'], Plural>>
}

/** Of the first load, and of the rarer screens: these come with them. */
type First = Same<typeof en>
type More = Same<typeof moreEn>
export type Words = First & More

/** A control's name: it has a label and a prompt. */
export type Word = keyof Words['controls']

/** A screen's: its title, and what is said when it opens. */
export type ScreenWord = keyof Words['screens']

type Load<T> = () => Promise<{ readonly default: T }>

const LOAD: Readonly<Record<string, readonly [Load<First>, Load<More>]>> = {
  en: [() => import('../../locale/phone/en.json'), () => import('../../locale/phone/more-en.json')],
  'zh-Hans': [() => import('../../locale/phone/zh-Hans.json'), () => import('../../locale/phone/more-zh-Hans.json')],
  ro: [() => import('../../locale/phone/ro.json'), () => import('../../locale/phone/more-ro.json')],
  lv: [() => import('../../locale/phone/lv.json'), () => import('../../locale/phone/more-lv.json')],
  it: [() => import('../../locale/phone/it.json'), () => import('../../locale/phone/more-it.json')],
}

/** The words and the language in force. */
export let t: Words
export let language = ''

/** The same language as this person's own country has it: the order of a date, hours to 12 or to 24. */
let variety = ''

/** Whether a rarer screen was opened. */
let hasMore = false

function varietyOf(wanted: string): string {
  return globalThis.navigator?.languages?.find(tag => ours([tag]) === wanted) ?? wanted
}

/** Takes up a language. Where its words cannot be had it stays with the one before, and throws. */
export async function speakIn(wanted: string, more = hasMore): Promise<void> {
  const load = LOAD[wanted]
  if (load === undefined || (wanted === language && more === hasMore)) return
  const { default: first } = await load[0]()
  // Until they are asked for, nobody looks for the words of the rarer screens.
  const { default: rest } = more ? await load[1]() : { default: {} as More }
  t = {
    ...first, ...rest,
    screens: { ...first.screens, ...rest.screens },
    controls: { ...first.controls, ...rest.controls },
    counts: { ...first.counts, ...rest.counts },
  }
  hasMore = more
  language = wanted
  variety = varietyOf(wanted)
}

export type Values = Readonly<Record<string, string | number>>

/** A sentence with what stands in braces filled in. */
export function filled(sentence: string | undefined, values: Values = {}): string {
  return (sentence ?? '').replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole))
}

/** The form of a count. */
export function counted(count: keyof Words['counts'], n: number): string {
  const forms = t.counts[count]
  return filled(forms[new Intl.PluralRules(language).select(n)] ?? forms.other, { n: amount(n) })
}

export function amount(n: number, options: Intl.NumberFormatOptions = {}): string {
  return new Intl.NumberFormat(variety, options).format(n)
}

/** Bytes: no more digits than say something. */
export function size(bytes: number): string {
  const unit = bytes < 1_000_000 ? 'kilobyte' : 'megabyte'
  const n = Math.max(bytes / (unit === 'kilobyte' ? 1000 : 1_000_000), bytes > 0 ? 1 : 0)
  return amount(n, { style: 'unit', unit, maximumFractionDigits: n < 10 && unit === 'megabyte' ? 1 : 0 })
}

/** A length as a clock has it: 1:05. */
export function length(ms: Millis): string {
  const seconds = Math.round(ms / 1000)
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}

/** The relay's clock less this phone's, in ms. */
let ahead = 0

export function keepTime(clock: Millis): void {
  ahead = clock
}

/** Now, as the relay has it. */
export function clockNow(): Millis {
  return Date.now() + ahead
}

/** Day and time as one says them: "today 19:42", "Saturday 19:42", "3 May 19:42". */
export function when(at: Millis, now: Millis = clockNow()): string {
  return `${day(at, now)} ${clock(at)}`
}

export function clock(at: Millis): string {
  return new Intl.DateTimeFormat(variety, { hour: '2-digit', minute: '2-digit' }).format(at)
}

export function day(at: Millis, now: Millis = clockNow()): string {
  const days = (new Date(at).setHours(12, 0, 0, 0) - new Date(now).setHours(12, 0, 0, 0)) / 86_400_000
  const gone = Math.round(days)
  if (Math.abs(gone) < 2) return new Intl.RelativeTimeFormat(language, { numeric: 'auto' }).format(gone, 'day')
  if (Math.abs(gone) < 7) return new Intl.DateTimeFormat(variety, { weekday: 'long' }).format(at)
  return new Intl.DateTimeFormat(variety, { day: 'numeric', month: 'long' }).format(at)
}

/** A civil time, as `2026-03-29T19:30:00`, of whatever zone. */
export function civil(local: string): string {
  const at = Date.parse(local.replace(' ', 'T').replace(/(T\d\d:\d\d).*$/, '$1:00Z'))
  return new Intl.DateTimeFormat(variety, {
    weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', timeZone: 'UTC',
  }).format(at)
}

/** The clock of a zone now, as a field for a time has it: `2026-03-29T19:30`. */
export function localIn(zone: string, at: Millis): string {
  const options = { timeZone: zone, dateStyle: 'short', timeStyle: 'short' } as const
  return new Intl.DateTimeFormat('sv-SE', options).format(at).replace(' ', 'T')
}

/** A zone by its place: "Chongqing". */
export function place(zone: string): string {
  return (zone.split('/').at(-1) ?? zone).replaceAll('_', ' ')
}
