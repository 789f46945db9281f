// What the page behind a link to a voice note says.

import ALL from '../../locale/outsider.json'
import type { Language } from '../languages.ts'

export type Saying = (typeof ALL)['en']

/** By their BCP 47 tags; each has the same keys. */
export const SAYINGS: Readonly<Record<Language, Saying>> = ALL
