// Who sees what, in words for a child. The ear reads every line.

import type { VNode } from 'preact'

import type { IconName } from './drawn.ts'
import { Icon } from './picture.tsx'
import { Screen } from './screen.tsx'
import { t } from './words.ts'

/** Beside each of the words `sees`. */
const SIGNS: readonly IconName[] = ['letter', 'lock', 'check', 'data', 'people', 'help']

export function Sees(): VNode {
  return <Screen say="sees">
    <ul class="sees">
      {t.sees.map((line, at) => <li key={line} data-say={line}>
        <Icon of={SIGNS[at] ?? 'eye'} /> <span>{line}</span>
      </li>)}
    </ul>
  </Screen>
}
