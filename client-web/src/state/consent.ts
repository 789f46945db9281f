// What is agreed to on a day (docs/PROTOCOL.md, kind 21; proto/src/entry/consent.rs). Dates sort as their texts do.

import type { Consent } from '../proto/entry.ts'

export type Taking = 'agreed' | 'missing' | 'withdrawn' | 'expired'

interface Said {
  readonly consent: string | null
  readonly assent: string | null
  readonly withdrawn: string | null
  readonly guardianWithdrawn: string | null
  readonly until: string | null
}

export function takingPart(it: Consent, on: string): Taking {
  const { consentOn: consent, assentOn: assent, withdrawnOn: withdrawn, guardianWithdrawnOn: guardianWithdrawn } = it
  const said = { consent, assent, withdrawn, guardianWithdrawn, until: it.terms?.until ?? null }
  return agreed(said, isOwnWord(it, on), on)
}

export function isCounted(it: Consent, on: string): boolean {
  const { countingOn: consent, countingAssentOn: assent, countingWithdrawnOn: withdrawn } = it
  const guardianWithdrawn = it.countingGuardianWithdrawnOn
  const said = { consent, assent, withdrawn, guardianWithdrawn, until: it.countingTerms?.until ?? null }
  return takingPart(it, on) === 'agreed' && agreed(said, isOwnWord(it, on), on) === 'agreed'
}

/** Whether the child's own word is enough: from the first of the month after its birthday of that age. */
export function isOwnWord({ bornIn, ownWordAge }: Consent, on: string): boolean {
  const [, year, month] = /^(\d{4})-(\d{2})$/.exec(bornIn ?? '') ?? []
  if (year === undefined || ownWordAge === null) return false
  const months = (Number(year) + ownWordAge) * 12 + Number(month)
  const from = `${Math.floor(months / 12)}`.padStart(4, '0') + `-${`${(months % 12) + 1}`.padStart(2, '0')}-01`
  return from <= on
}

/** Dissent wins: what one of them took back no newer word of the other alone brings back, only both. */
function agreed({ consent, assent, withdrawn, guardianWithdrawn, until }: Said, isAlone: boolean, on: string): Taking {
  const guardian = isAlone ? assent : consent
  const no = [withdrawn, isAlone ? null : guardianWithdrawn].reduce((a, b) => ((b ?? '') > (a ?? '') ? b : a))
  const both = guardian !== null && assent !== null ? [guardian, assent].sort() : null
  if (no !== null && (both === null || no >= (both[0] ?? ''))) return 'withdrawn'
  if (both === null) return 'missing'
  return until !== null && until <= on ? 'expired' : 'agreed'
}
