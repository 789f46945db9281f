// A letter, or several, for a time on the child's clock: once, or one each week.

import type { VNode } from 'preact'
import { useEffect, useState } from 'preact/hooks'

import type { FamilyId, OccurrenceView, RuleView, Said } from '../model.ts'
import type { MemberId } from '../proto/id.ts'
import { Recipients } from './compose.tsx'
import { Control, Field } from './control.tsx'
import { Icon } from './picture.tsx'
import { Recorder } from './recorder.tsx'
import { Screen, Written } from './screen.tsx'
import { ascending, othersOf, useStage, type Of } from './stage.ts'
import { civil, clockNow, counted, length, localIn, place, t } from './words.ts'

/** Times that are shown ahead. */
const SHOWN = 6

/** A field for a time changes with every key: the relay is asked once it rests, in ms. */
const REST_MS = 400

const DAY_MS = 86_400_000

export function Later({ who, family, member, to: first }: Of & { readonly to: readonly MemberId[] }): VNode {
  const { actions, attempt, tell, back } = useStage()
  const [to, setTo] = useState(first)
  const [drafts, setDrafts] = useState<readonly Said[]>([])
  const [text, write] = useState('')
  const zones = [...new Set(othersOf(family, member).filter(it => to.includes(it.id)).map(it => it.zone))]
  const [chosen, choose] = useState(zones[0] ?? member.zone)
  const zone = zones.includes(chosen) ? chosen : zones[0] ?? chosen
  const [start, setStart] = useState(() => tomorrow(zone))
  const [isWeekly, setWeekly] = useState(false)
  const rule: RuleView = { start: `${start}:00`, zone, rrule: isWeekly ? 'FREQ=WEEKLY' : null, toleranceMinutes: null }

  // Once is one letter: of more only the first would ever go.
  const takesMore = isWeekly || drafts.length === 0
  const keep = (said: Said) => {
    write('')
    setDrafts([...drafts, said])
    return true
  }
  const plan = async () => {
    const isBank = isWeekly && drafts.length > 1
    if (!await attempt(actions.schedule(who.family, who.member, ascending(to), rule, drafts, isBank, null))) return
    tell(t.planned)
    await back()
  }
  return <Screen say="later">
    <Recipients who={who} family={family} member={member} to={to} set={setTo} />
    {zones.length > 1 && zones.map(it => <Control key={it} say="zone" with={{ place: place(it) }} name={`zone-${it}`}
      icon="globe"
      isOn={it === zone} press={() => choose(it)} />)}
    <Start zone={zone} value={start} change={setStart} />
    <Control say="weekly" icon="repeat" isOn={isWeekly} isOff={isWeekly && drafts.length > 1}
      press={() => setWeekly(!isWeekly)} />
    <Times family={who.family} rule={rule} />
    <ul class="list">
      {drafts.map((said, at) => <li key={at} class="draft">
        {said.kind === 'text' && <Written text={said.text} />}
        {said.kind === 'voice' && <span><Icon of="mic" /> {length(said.recorded.duration)}</span>}
        <Control say="discard" name={`discard-${at}`} icon="discard" look="bare"
          press={() => setDrafts(drafts.filter(it => it !== said))} />
      </li>)}
    </ul>
    {takesMore && <>
      <Recorder say="record" last="keep" done={recorded => keep({ kind: 'voice', recorded })} />
      <Field say="text" icon="write" type="lines" value={text} change={write} />
      {text.trim() !== '' && <Control say="keep" name="keep-text" icon="plus"
        press={() => keep({ kind: 'text', text: text.trim() })} />}
    </>}
    {isWeekly && drafts.length > 0 && <p class="soft center">{counted('bank', drafts.length)}</p>}
    <Control say="schedule" icon="check" look="round" tone="go"
      isOff={to.length === 0 || drafts.length === 0 || !isWhole(start)} press={plan} />
  </Screen>
}

/** A time to begin with: half past seven in the evening. */
export function tomorrow(zone: string): string {
  return `${localIn(zone, clockNow() + DAY_MS).slice(0, 10)}T19:30`
}

interface StartProps {
  readonly zone: string
  readonly value: string
  readonly change: (value: string) => void
}

/** Day and time, on the clock of a zone: `2026-03-29T19:30`. */
export function Start({ zone, value, change }: StartProps): VNode {
  const [day = '', time = ''] = value.split('T')
  const values = { place: place(zone) }
  return <div class="pair">
    <Field say="startDay" with={values} icon="calendar" type="date" value={day}
      change={it => change(`${it}T${time}`)} />
    <Field say="startTime" with={values} icon="clock" type="time" value={time} change={it => change(`${day}T${it}`)} />
  </div>
}

/** Whether both were chosen. */
export function isWhole(start: string): boolean {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d(:00)?$/.test(start)
}

interface TimesProps {
  readonly family: FamilyId
  readonly rule: RuleView
  readonly count?: number
}

/** The coming times of a rule on the child's clock and on one's own; a change of clocks is marked. */
export function Times({ family, rule, count = SHOWN }: TimesProps): VNode {
  const { actions, attempt } = useStage()
  const [times, setTimes] = useState<readonly OccurrenceView[]>([])
  const own = new Intl.DateTimeFormat().resolvedOptions().timeZone
  useEffect(() => {
    let isOld = false
    const ask = () => {
      const asked = actions.preview(family, rule, [...new Set([rule.zone, own])], count)
      void attempt(asked.then(found => isOld || setTimes(found)))
    }
    const timer = isWhole(rule.start) ? setTimeout(ask, REST_MS) : undefined
    return () => (isOld = true, clearTimeout(timer))
  }, [rule.start, rule.zone, rule.rrule])
  return <ul class="times">
    {times.map(it => <li key={it.at}>
      {it.clocks.map(clock => <span key={clock.zone} class="clock">
        <span class="soft">{place(clock.zone)}</span> {civil(clock.local)}
        {clock.shifts && <em><Icon of="warning" /> {t.shifts}</em>}
      </span>)}
      {it.adjust !== null && <em><Icon of="warning" /> {t.adjust[it.adjust]}</em>}
    </li>)}
  </ul>
}
