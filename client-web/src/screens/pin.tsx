// Three secret pictures for a mailbox: pressed twice, so that a slip locks nobody out.

import type { VNode } from 'preact'
import { useState } from 'preact/hooks'

import { Control } from './control.tsx'
import { PinPad } from './lock.tsx'
import { Screen } from './screen.tsx'
import { useStage, type Of } from './stage.ts'
import { t } from './words.ts'

export function Pin({ who, member }: Of): VNode {
  const { actions, attempt, tell, back } = useStage()
  const [first, setFirst] = useState<readonly number[] | null>(null)
  const set = async (pin: readonly number[] | null) => {
    if (!await attempt(actions.setPin(who.family, who.member, pin))) return
    tell(pin === null ? t.pinGone : t.pinSet)
    back()
  }
  const full = (pin: readonly number[]) => {
    if (first === null) return setFirst(pin)
    if (first.join() === pin.join()) return void set(pin)
    tell(t.wrongPin)
    setFirst(null)
  }
  return <Screen say={first === null ? 'pin' : 'pinAgain'} of={member}>
    <p>{first === null ? t.choosePin : t.againPin}</p>
    <PinPad key={first === null ? 'first' : 'again'} full={full} />
    {member.face.hasPin && <Control say="noPin" icon="discard" press={() => void set(null)} />}
  </Screen>
}
