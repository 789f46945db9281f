// Letters that wait for their time: when they go, what is left of a bank, and how to stop them.

import type { VNode } from 'preact'
import { useState } from 'preact/hooks'

import type { Said, ScheduleView } from '../model.ts'
import { Control, Field } from './control.tsx'
import { Times } from './later.tsx'
import { Icon } from './picture.tsx'
import { recipients } from './receipts.tsx'
import { Recorder } from './recorder.tsx'
import { Names, Screen, Written } from './screen.tsx'
import { othersOf, useStage, type Of } from './stage.ts'
import { Sure } from './sure.tsx'
import { counted, length, t } from './words.ts'

export function Schedules({ who, family, member }: Of): VNode {
  const { go } = useStage()
  const children = othersOf(family, member).filter(it => it.role === 'child').map(it => it.id)
  const live = family.schedules.filter(it => it.state !== 'cancelled' && it.state !== 'spent')
  return <Screen say="schedules">
    <Control say="later" icon="plus" press={() => go({ at: 'later', who, to: children })} />
    {live.length === 0 && <p class="soft center">{t.noSchedules}</p>}
    {live.map(it => <Schedule key={it.id} schedule={it} who={who} family={family} member={member} />)}
  </Screen>
}

function Schedule({ schedule, who, family, member }: Of & { readonly schedule: ScheduleView }): VNode {
  const { actions, attempt } = useStage()
  const [text, write] = useState('')
  const { id, state, held, rule, bank } = schedule
  const isMine = schedule.from === member.id
  const stands = [
    rule.rrule !== null && t.again,
    (state === 'paused' || state === 'waits') && t.states[state],
    bank && counted('left', held.length),
  ].filter(Boolean)
  const change = (to: 'active' | 'paused' | 'cancelled') => attempt(actions.changeSchedule(who.family, id, to))
  const add = async (said: Said) => {
    const isKept = await attempt(actions.addToBank(who.family, id, said))
    if (isKept && said.kind === 'text') write('')
    return isKept
  }
  return <article class="letter">
    <p class="from">→ <Names of={recipients(family, schedule)} /></p>
    {stands.length > 0 && <p class="soft">
      <Icon of={rule.rrule === null ? 'calendar' : 'repeat'} /> {stands.join(' · ')}
    </p>}
    {state !== 'paused' && <Times family={who.family} rule={rule} count={2} />}
    <ul class="list">
      {held.map(({ ref, text, voice }) => <li key={ref}>
        {voice === null ? <Written text={text} /> : <><Icon of="mic" /> {length(voice.duration)}</>}
      </li>)}
    </ul>
    {isMine && bank && <>
      <Recorder say="record" last="keep" done={recorded => add({ kind: 'voice', recorded })} />
      <Field say="text" name={`text-${id}`} icon="write" type="lines" value={text} change={write} />
      {text.trim() !== '' && <Control say="keep" name={`keep-${id}`} icon="plus"
        press={() => add({ kind: 'text', text: text.trim() })} />}
    </>}
    {state === 'active' && <Control say="pause" name={`pause-${id}`} icon="pause" press={() => change('paused')} />}
    {state === 'paused' && <Control say="goOn" name={`go-on-${id}`} icon="play" press={() => change('active')} />}
    {state !== 'waits' && <Sure say="cancel" name={`cancel-${id}`} icon="close" act={() => change('cancelled')} />}
  </article>
}
