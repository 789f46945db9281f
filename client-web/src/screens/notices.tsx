// What a family is told once, where its letters are.

import type { VNode } from 'preact'

import { Control } from './control.tsx'
import { speak } from './speech.ts'
import { refusedOf, useStage, type Of } from './stage.ts'
import { t } from './words.ts'

/** By what changed. */
const NEWS = {
  joined: { say: 'phoneIn', icon: 'phone' },
  removed: { say: 'phoneOut', icon: 'discard' },
  changed: { say: 'familyChanged', icon: 'people' },
} as const

export function Notices({ who, family, member }: Of): VNode {
  const { actions, attempt, tell, go } = useStage()
  /** Grown-ups look who is in; a child is told, and to ask them. */
  const open = (what: keyof typeof NEWS) => {
    if (member.role !== 'child') return go({ at: 'people', who })
    tell(t.news[what])
    speak(t.news[what])
    return attempt(actions.seen(who.family))
  }
  return <>
    {refusedOf(family, member).length > 0 && <Control say="refused" icon="warning" tone="danger"
      press={() => go({ at: 'refused', who })} />}
    {family.news.map(it => <Control key={it} say={NEWS[it].say} icon={NEWS[it].icon} press={() => open(it)} />)}
  </>
}
