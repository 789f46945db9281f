// Which face a member has on this phone.

import type { VNode } from 'preact'

import { Control } from './control.tsx'
import { ANIMALS, GROUNDS } from './drawn.ts'
import { Animal } from './picture.tsx'
import { Screen } from './screen.tsx'
import { useStage, type Of } from './stage.ts'
import { t } from './words.ts'

const FACES = ANIMALS.length * GROUNDS.length

export function Looks({ who, member }: Of): VNode {
  const { actions, attempt, back } = useStage()
  const choose = async (picture: number) => {
    if (await attempt(actions.setPicture(who.family, who.member, picture))) await back()
  }
  return <Screen say="looks" of={member}>
    <div class="pad">
      {Array.from({ length: FACES }, (_, at) => <Control key={at} say="pinPicture"
        with={{ animal: t.animals[at % ANIMALS.length] ?? '' }}
        name={`picture-${at}`} look="tile" icon={<Animal number={at} />} isOn={member.face.picture % FACES === at}
        press={() => choose(at)} />)}
    </div>
  </Screen>
}
