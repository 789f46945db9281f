// What every screen has at hand, and where a person can be.

import { createContext } from 'preact'
import { useContext } from 'preact/hooks'

import type { Actions, FamilyId, FamilyView, LetterView, MemberView, View } from '../model.ts'
import type { MemberId } from '../proto/id.ts'
import type { Player } from '../voice/types.ts'

/** In whose name a screen is open. */
export interface Who { readonly family: FamilyId, readonly member: MemberId }

export type Place =
  | { readonly at: 'home' | 'join' | 'data' | 'settings' | 'sees' }
  | { readonly at: 'menu' | 'help', readonly who: Who | null }
  | { readonly at: 'mailbox' | 'letters', readonly who: Who }
  | { readonly at: 'schedules' | 'people' | 'invite' | 'plan' | 'pin' | 'looks' | 'refused', readonly who: Who }
  /** Not a screen of its own: lines on one where letters are. */
  | { readonly at: 'notices', readonly who: Who }
  | { readonly at: 'compose' | 'later', readonly who: Who, readonly to: readonly MemberId[] }

export interface Stage {
  readonly view: View
  readonly actions: Actions
  readonly player: Player
  readonly isHome: boolean
  /** Opens it, on top of where one is or instead of it. */
  go(place: Place, isInstead?: boolean): void
  /** Settles once the screen before is there. */
  back(): Promise<void>
  /** Says it to who sees and who does not. */
  tell(text: string): void
  /** Whether it went well; what a person is to be told of it was told. */
  attempt(work: Promise<unknown>): Promise<boolean>
}

export const StageContext = createContext<Stage | null>(null)

export function useStage(): Stage {
  const stage = useContext(StageContext)
  if (stage === null) throw new Error('there is no stage')
  return stage
}

/** The family and the member of a place; null where they are here no more. */
export function find(view: View, who: Who): { readonly family: FamilyView, readonly member: MemberView } | null {
  const family = view.families.find(it => it.id === who.family)
  const member = family?.members.find(it => it.id === who.member)
  return family !== undefined && member !== undefined ? { family, member } : null
}

/** Whom this phone serves, family by family. */
export function served(view: View): { readonly family: FamilyView, readonly member: MemberView }[] {
  return view.families.flatMap(family => family.members.filter(it => it.isServed).map(member => ({ family, member })))
}

/** What is for a member or from it, the newest first: another's letters are not here. */
export function lettersOf(family: FamilyView, member: MemberId): LetterView[] {
  const isMine = ({ from, to }: LetterView) => from === member || to.length === 0 || to.includes(member)
  return family.letters.filter(isMine).sort((a, b) => timeOf(b) - timeOf(a))
}

/** As the family's letters have them. */
export function ascending(members: readonly MemberId[]): readonly MemberId[] {
  return [...members].sort((a, b) => a - b)
}

export function timeOf(letter: LetterView): number {
  return letter.at ?? letter.writtenAt
}

export function hasNew(family: FamilyView, member: MemberId): boolean {
  return family.letters.some(letter => letter.newFor.includes(member))
}

/** Whom an answer without a letter goes to: the parents, or for a parent the others. */
export function othersOf(family: FamilyView, member: MemberView): readonly MemberView[] {
  const parents = family.members.filter(it => it.role === 'parent' && it.id !== member.id)
  const rest = family.members.filter(it => it.role !== 'parent' && it.id !== member.id)
  return member.role === 'parent' ? [...rest, ...parents] : parents.length > 0 ? parents : rest
}

/** What of that a member is told: the phone's own is for grown-ups. */
export function refusedOf({ refused }: FamilyView, { id, role }: MemberView): FamilyView['refused'] {
  return refused.filter(({ from }) => (from === null ? role !== 'child' : from === id))
}

/** Whether there is something that the lines above the letters are to say. */
export function hasNotices(family: FamilyView, member: MemberView): boolean {
  return family.news.length > 0 || refusedOf(family, member).length > 0
}

/** Where a member's letters are: a parent sees them as a list, who may not read one by one. */
export function mailboxOf(family: FamilyView, member: MemberView): Place {
  return { at: member.role === 'parent' ? 'letters' : 'mailbox', who: { family: family.id, member: member.id } }
}

/** What a screen of a member's is given. */
export interface Of { readonly who: Who, readonly family: FamilyView, readonly member: MemberView }
