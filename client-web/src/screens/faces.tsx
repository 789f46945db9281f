// Whose letters: a face each, a dot where there is something new. No name of a sender, no count.

import type { VNode } from 'preact'

import { Control } from './control.tsx'
import { Face } from './picture.tsx'
import { Name, Screen } from './screen.tsx'
import { shownName } from './shown.ts'
import { hasNew, mailboxOf, served, useStage } from './stage.ts'
import { t } from './words.ts'

export function Faces(): VNode {
  const { view, go } = useStage()
  return <Screen say="faces">
    <ul class="faces">
      {served(view).map(({ family, member }) => {
        const isNew = hasNew(family, member.id)
        return <li key={`${family.id}/${member.id}`}>
          <Control say={isNew ? 'newFace' : 'face'} with={{ name: shownName(member.name) }}
            name={`face-${family.id}-${member.id}`} look="tile"
            icon={<Face of={member} isNew={isNew} />} press={() => go(mailboxOf(family, member))}
            label={<><Name of={member} />{isNew && <span class="unseen">, {t.isNew}</span>}</>} />
        </li>
      })}
    </ul>
    <footer>
      <Control say="help" icon="help" look="tile" tone="danger" press={() => go({ at: 'help', who: null })} />
      <Control say="menu" icon="menu" look="tile" press={() => go({ at: 'menu', who: null })} />
    </footer>
  </Screen>
}
