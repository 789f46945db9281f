// Three pictures open a mailbox. It keeps out a cousin, not who takes the phone apart.

import type { VNode } from 'preact'
import { useState } from 'preact/hooks'

import { Control } from './control.tsx'
import { ANIMALS } from './drawn.ts'
import { Animal } from './picture.tsx'
import { Screen } from './screen.tsx'
import { useStage, type Of } from './stage.ts'
import { counted, t } from './words.ts'

export const PIN_LENGTH = 3

/** After a wrong one the next has to wait, longer each time, in ms. */
const WAIT_MS = 1000

export function Lock({ who, member, open }: Of & { readonly open: () => void }): VNode {
  const { actions, tell } = useStage()
  const [tries, setTries] = useState(1)
  const check = async (pin: readonly number[]) => {
    if (await actions.checkPin(who.family, who.member, pin)) {
      tell('')
      return open()
    }
    tell(t.wrongPin)
    await new Promise(resolve => setTimeout(resolve, WAIT_MS * tries))
    setTries(tries + 1)
  }
  return <Screen say="lock" of={member}>
    <PinPad key={tries} full={pin => void check(pin)} />
  </Screen>
}

/** Twelve animals; `full` is given the first three that are pressed. */
export function PinPad({ full }: { readonly full: (pin: readonly number[]) => void }): VNode {
  const [pin, setPin] = useState<readonly number[]>([])
  const press = (picture: number) => {
    const next = [...pin, picture]
    setPin(next)
    if (next.length === PIN_LENGTH) full(next)
  }
  return <>
    <p class="pin" role="img" aria-label={counted('chosen', pin.length)}>
      {Array.from({ length: PIN_LENGTH }, (_, at) => <span key={at} class={at < pin.length ? 'full' : ''} />)}
    </p>
    <div class="pad">
      {ANIMALS.map((_, at) => <Control key={at} say="pinPicture" with={{ animal: t.animals[at] ?? '' }}
        name={`secret-${at}`} look="tile"
        icon={<Animal number={at} />} isOff={pin.length === PIN_LENGTH} press={() => press(at)} />)}
    </div>
  </>
}
