// Drawings on the page. What they mean is said by what holds them.

import type { VNode } from 'preact'

import type { MemberView } from '../model.ts'
import { ANIMALS, ANSWERS, GROUNDS, ICONS, type IconName } from './drawn.ts'

export function Icon({ of }: { readonly of: IconName }): VNode {
  return <svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d={ICONS[of]} /></svg>
}

/** The face that a member has on this phone. */
export function Face({ of, isNew = false }: { readonly of: MemberView, readonly isNew?: boolean }): VNode {
  return <span class="face">
    <Animal number={of.face.picture} />
    {isNew && <span class="dot" />}
  </span>
}

export function Animal({ number }: { readonly number: number }): VNode {
  const shapes = ANIMALS[number % ANIMALS.length] ?? []
  const ground = GROUNDS[Math.floor(number / ANIMALS.length) % GROUNDS.length]
  return <svg class="drawn" viewBox="-4 -4 56 56" aria-hidden="true">
    <circle cx="24" cy="24" r="28" fill={ground} />
    {shapes.map(([colour, shape]) => <path key={shape} fill={colour} d={shape} />)}
  </svg>
}

/** A picture answer, by its number from 1; one that a newer phone has is a question. */
export function Answer({ number }: { readonly number: number }): VNode {
  const shapes = ANSWERS[number - 1]
  if (shapes === undefined) return <Icon of="eye" />
  return <svg class="drawn" viewBox="0 0 48 48" aria-hidden="true">
    {shapes.map(([colour, shape]) => <path key={shape} fill={colour} d={shape} />)}
  </svg>
}
