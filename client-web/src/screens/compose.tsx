// A letter that goes at once: to whom, and then said, written or a picture.

import type { VNode } from 'preact'
import { useState } from 'preact/hooks'

import type { Said } from '../model.ts'
import type { MemberId } from '../proto/id.ts'
import { Control, Field } from './control.tsx'
import { Answers } from './mailbox.tsx'
import { Face } from './picture.tsx'
import { Recorder } from './recorder.tsx'
import { Name, Screen } from './screen.tsx'
import { shownName } from './shown.ts'
import { ascending, othersOf, useStage, type Of } from './stage.ts'
import { t } from './words.ts'

export function Compose({ who, family, member, to: first }: Of & { readonly to: readonly MemberId[] }): VNode {
  const { actions, attempt, tell, back, go } = useStage()
  const [to, setTo] = useState(first)
  const [text, write] = useState('')
  const send = async (said: Said) => {
    if (!await attempt(actions.send(who.family, who.member, ascending(to), said))) return false
    tell(t.sent)
    await back()
    return true
  }
  return <Screen say="compose">
    <Recipients who={who} family={family} member={member} to={to} set={setTo} />
    {to.length > 0 && <>
      <Recorder say="record" last="send" done={recorded => send({ kind: 'voice', recorded })} />
      <Answers press={picture => send({ kind: 'picture', picture })} />
      <Field say="text" icon="write" type="lines" value={text} change={write} />
      {text.trim() !== '' && <Control say="send" name="send-text" icon="send" tone="go"
        press={() => send({ kind: 'text', text: text.trim() })} />}
      <Control say="later" icon="clock" press={() => go({ at: 'later', who, to }, true)} />
    </>}
  </Screen>
}

interface RecipientsProps extends Of {
  readonly to: readonly MemberId[]
  readonly set: (to: readonly MemberId[]) => void
}

export function Recipients({ family, member, to, set }: RecipientsProps): VNode {
  return <div class="faces small" role="group" aria-label={t.to}>
    {othersOf(family, member).map(it => <Control key={it.id} say="recipient" with={{ name: shownName(it.name) }}
      name={`to-${it.id}`} look="tile"
      icon={<Face of={it} />} label={<Name of={it} />} isOn={to.includes(it.id)}
      press={() => set(toggled(to, it.id))} />)}
  </div>
}

/** With it, or without where it was there. */
export function toggled(all: readonly MemberId[], one: MemberId): readonly MemberId[] {
  return all.includes(one) ? all.filter(it => it !== one) : [...all, one]
}
