// Help: it asks once more, then the people of the programme know. A phone of several families asks who needs it.

import type { VNode } from 'preact'

import { Control } from './control.tsx'
import { Face } from './picture.tsx'
import { Name, Screen } from './screen.tsx'
import { shownName } from './shown.ts'
import { served, useStage, type Who } from './stage.ts'
import { t } from './words.ts'

export function Help({ who }: { readonly who: Who | null }): VNode {
  const { view, actions, attempt, tell, back } = useStage()
  const ask = async ({ family, member }: Who) => {
    if (!await attempt(actions.askForHelp(family, member))) return
    tell(t.helpAsked)
    await back()
  }
  const all = served(view)
  const grown = all.find(it => it.member.role !== 'child') ?? all[0]
  const isOneFamily = view.families.length === 1
  const only = who ?? (isOneFamily && grown ? { family: grown.family.id, member: grown.member.id } : null)
  return <Screen say="help">
    <p>{t.helpWhat}</p>
    {only !== null
      ? <Control say="askForHelp" icon="help" look="round" tone="danger" press={() => ask(only)} />
      : <ul class="faces">
        {all.map(({ family, member }) => <li key={`${family.id}/${member.id}`}>
          <Control say="helpFor" with={{ name: shownName(member.name) }} name={`help-${family.id}-${member.id}`}
            look="tile" icon={<Face of={member} />} label={<Name of={member} />}
            press={() => ask({ family: family.id, member: member.id })} />
        </li>)}
      </ul>}
  </Screen>
}
