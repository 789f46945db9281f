// What the relay will never take: it is said, and put away by a person.

import type { VNode } from 'preact'

import { Control } from './control.tsx'
import { Icon } from './picture.tsx'
import { Screen, Written } from './screen.tsx'
import { refusedOf, useStage, type Of } from './stage.ts'
import { t } from './words.ts'

export function NotSent({ who, family, member }: Of): VNode {
  const { actions, attempt } = useStage()
  const all = refusedOf(family, member)
  return <Screen say="refused">
    {all.length === 0 && <p class="soft center">{t.noneRefused}</p>}
    {all.map(({ ref, what, text }) => <article key={ref} class="letter">
      <p><Icon of="warning" /> {t.refusals[what]}</p>
      {text !== null && <Written text={text} />}
      <Control say="putAway" name={`put-away-${ref}`} icon="discard"
        press={() => attempt(actions.putAway(who.family, ref))} />
    </article>)}
  </Screen>
}
