// How far a letter came with each whom it is for, in words: delivered is not heard.

import type { VNode } from 'preact'

import type { FamilyView, LetterView, MemberView } from '../model.ts'
import { HEARD } from './letter.tsx'
import { Icon } from './picture.tsx'
import { isolated } from './shown.ts'
import { amount, filled, t, when } from './words.ts'

/** By rung: 0 is nothing yet. */
const WORDS = ['sent', 'phone', 'opened', 'heard', 'shown', 'done'] as const

export function Receipts({ family, letter }: { readonly family: FamilyView, readonly letter: LetterView }): VNode {
  if (letter.at === null) return <p class="soft"><Icon of="clock" /> {t.receipts.waits}</p>
  return <ul class="receipts">
    {recipients(family, letter).map(it => <Receipt key={it.id} letter={letter} of={it} />)}
  </ul>
}

export function recipients(family: FamilyView, { to, from }: Pick<LetterView, 'to' | 'from'>): readonly MemberView[] {
  return family.members.filter(it => it.id !== from && (to.length === 0 || to.includes(it.id)))
}

function Receipt({ letter, of }: { readonly letter: LetterView, readonly of: MemberView }): VNode {
  const { rung = 0, at = 0, share = null } = letter.reached.get(of.id) ?? {}
  const isBegun = rung === 3 && share !== null && share < HEARD
  const icon = rung === 0 ? 'send' : rung === 1 || isBegun ? 'phone' : 'check'
  const word = isBegun ? 'begun' : WORDS[rung] ?? 'phone'
  const values = { name: isolated(of.name), when: when(at), share: amount((share ?? 0) / 100, { style: 'percent' }) }
  return <li><Icon of={icon} /> <span>{filled(t.receipts[word], values)}</span></li>
}
