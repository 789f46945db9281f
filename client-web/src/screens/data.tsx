// Data used this month, and the limit that is asked about before a fetch passes it.

import type { VNode } from 'preact'

import { Control } from './control.tsx'
import { Icon } from './picture.tsx'
import { Screen } from './screen.tsx'
import { useStage } from './stage.ts'
import { size, t } from './words.ts'

/** MB; null is without a limit. */
const CAPS = [null, 20, 50, 100, 200, 500] as const

const AHEAD = [['never', 'ear'], ['wifi', 'fetch'], ['always', 'data']] as const

export function Data(): VNode {
  const { view, actions, attempt } = useStage()
  const { used, settings } = view
  const { capMb, fetchAhead } = settings
  const sum = used.up + used.down
  return <Screen say="data">
    <p class="meter-line"><Icon of="data" /> {size(sum)}</p>
    <p class="soft">↑ {size(used.up)} · ↓ {size(used.down)}</p>
    {capMb !== null && <progress max={capMb * 1_000_000} value={sum} aria-label={t.used} />}
    <h2>{t.cap}</h2>
    <div class="pair" role="group" aria-label={t.cap}>
      {CAPS.map(cap => <Control key={cap} say={cap === null ? 'noCap' : 'cap'}
        with={{ size: size((cap ?? 0) * 1_000_000) }} name={`cap-${cap ?? 'none'}`} look="tile"
        icon="data" isOn={capMb === cap} press={() => void attempt(actions.set({ capMb: cap }))} />)}
    </div>
    <h2>{t.fetchAhead}</h2>
    <div role="group" aria-label={t.fetchAhead}>
      {AHEAD.map(([choice, icon]) => <Control key={choice} say={`ahead_${choice}`} icon={icon}
        isOn={fetchAhead === choice}
        press={() => void attempt(actions.set({ fetchAhead: choice }))} />)}
    </div>
  </Screen>
}
