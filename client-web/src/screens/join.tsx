// Whose phone this will be, and one tap to say so. Nothing is used up before it.

import type { VNode } from 'preact'
import { useEffect, useState } from 'preact/hooks'

import { ownFace, type Looked } from '../model.ts'
import { Control, Field } from './control.tsx'
import { Animal } from './picture.tsx'
import { Name, Screen } from './screen.tsx'
import { useStage } from './stage.ts'
import { t } from './words.ts'

export function Join({ link, done }: { readonly link: string | null, readonly done: () => void }): VNode {
  const { view, isHome, actions, attempt, back } = useStage()
  const [looked, setLooked] = useState<Looked | null>(null)
  const [isBusy, setBusy] = useState(link !== null)
  const [written, write] = useState('')
  const look = async (link: string) => {
    setBusy(true)
    await attempt(actions.look(link).then(setLooked))
    setBusy(false)
  }
  const join = async (looked: Looked) => {
    setBusy(true)
    if (await attempt(actions.join(looked))) return link === null && !isHome ? back() : done()
    setBusy(false)
  }
  useEffect(() => {
    if (link !== null) void look(link)
  }, [])
  return <Screen say="join">
    {looked === null
      ? <>
        {!isBusy && <p>{t.join.how}</p>}
        {isBusy ? <p class="wait" aria-busy="true">{t.join.looking}</p> : <>
          {link !== null && <Control say="lookAgain" icon="again" press={() => void look(link)} />}
          <Field say="link" icon="letter" type="text" value={written} change={write} />
          <Control say="look" icon="door" isOff={written.trim() === ''} press={() => void look(written.trim())} />
          {link !== null && view.families.length > 0 && <Control say="notNow" icon="close" press={done} />}
        </>}
      </>
      : <>
        <p>{t.join.whose}</p>
        <ul class="faces">
          {looked.families.flatMap((family, at) => family.members.map(member => <li key={`${at}/${member.id}`} class="tile">
            <Animal number={ownFace(member.id, view.families.length + at)} /> <Name of={member} /> <span class="soft">{t.roles[member.role]}</span>
          </li>))}
        </ul>
        <Control say="join" icon="check" look="round" tone="go" isOff={isBusy} press={() => void join(looked)} />
        {view.families.length > 0 && <Control say="notNow" icon="close" press={link === null ? back : done} />}
      </>}
  </Screen>
}
