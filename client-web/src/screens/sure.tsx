// What cannot be taken back is asked once more.

import type { VNode } from 'preact'
import { useState } from 'preact/hooks'

import { Control } from './control.tsx'
import type { IconName } from './drawn.ts'
import type { Word } from './words.ts'

interface SureProps {
  readonly say: Word
  readonly icon: IconName
  readonly name: string
  readonly act: () => Promise<unknown>
}

export function Sure({ say, icon, name, act }: SureProps): VNode {
  const [asks, setAsks] = useState(false)
  return <>
    <Control say={say} icon={icon} name={name} tone="danger" isOn={asks} press={() => setAsks(!asks)} />
    {asks && <div class="pair">
      <Control say="yes" icon="check" name={`${name}-yes`} look="tile" tone="danger"
        press={async () => (await act(), setAsks(false))} />
      <Control say="notNow" icon="close" name={`${name}-no`} look="tile" press={() => setAsks(false)} />
    </div>}
  </>
}
