// Why nothing goes just now (a quiet line), or will go any more (a red bar).

import type { VNode } from 'preact'

import type { Trouble } from '../model.ts'
import { Control } from './control.tsx'
import { Icon } from './picture.tsx'
import { useStage } from './stage.ts'
import { counted, t } from './words.ts'

const RED: readonly Trouble['kind'][] = ['removed', 'newChain', 'erased', 'unsafe', 'full']

export function Troubles(): VNode {
  const { view, actions } = useStage()
  const kinds = [...new Set(view.families.flatMap(family => family.trouble?.kind ?? []))]
  const red = kinds.filter(kind => RED.includes(kind))
  const quiet = kinds.filter(kind => !RED.includes(kind))
  const waiting = view.families.reduce((sum, family) => sum + family.waiting, 0)
  const isAway = view.line === 'offline' || view.line === 'closed'
  return <aside aria-label={t.state}>
    <div role="alert">
      {red.map(kind => <p class="bar red" key={kind}><Icon of="warning" /> {t.troubles[kind]}</p>)}
    </div>
    {quiet.map(kind => <p class="bar" key={kind}><Icon of="clock" /> {t.troubles[kind]}</p>)}
    {(isAway || waiting > 0) && <div class="bar">
      {isAway && <Icon of="offline" />}
      <span>{isAway && t.troubles[view.line]} {waiting > 0 && counted('waiting', waiting)}</span>
      {view.line === 'closed' && <Control say="takeOver" icon="door" press={actions.takeOver} />}
      {view.line === 'offline' && <Control say="tryNow" icon="again" press={actions.tryNow} />}
    </div>}
  </aside>
}
