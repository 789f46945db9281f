// The coming week, and what the family intends: the programme may propose, the family decides.

import type { VNode } from 'preact'
import { useEffect, useState } from 'preact/hooks'

import type { RuleView } from '../model.ts'
import { Control } from './control.tsx'
import { Start, Times, isWhole, tomorrow } from './later.tsx'
import { Icon } from './picture.tsx'
import { Screen } from './screen.tsx'
import { useStage, type Of } from './stage.ts'
import { clockNow, t, when } from './words.ts'

const DAY_MS = 86_400_000

/** Times of a rule that can fall into a week. */
const MANY = 14

export function Plan({ who, family, member }: Of): VNode {
  const { actions, attempt, tell } = useStage()
  const rules = family.plan?.rules ?? []
  const { zone } = family.members.find(it => it.role === 'child') ?? member
  const [start, setStart] = useState(() => tomorrow(zone))
  const weekly: RuleView = { start: `${start}:00`, zone, rrule: 'FREQ=WEEKLY', toleranceMinutes: null }
  const intend = async (next: readonly RuleView[]) => {
    if (await attempt(actions.intend(who.family, who.member, next))) tell(t.planned)
  }
  return <Screen say="plan">
    <h2>{t.week}</h2>
    <Week who={who} family={family} member={member} />
    <h2>{t.intended}</h2>
    {rules.length === 0 && <p class="soft">{t.noPlan}</p>}
    {rules.map((rule, at) => <article class="letter" key={`${rule.start} ${rule.rrule}`}>
      <p><Icon of={rule.rrule === null ? 'calendar' : 'repeat'} /> {rule.rrule !== null && t.again}</p>
      <Times family={who.family} rule={rule} count={2} />
      <Control say="leaveOut" name={`leave-out-${at}`} icon="discard"
        press={() => intend(rules.filter(it => it !== rule))} />
    </article>)}
    <Start zone={zone} value={start} change={setStart} />
    <Control say="addWeekly" icon="plus" isOff={!isWhole(start)}
      press={() => intend([...rules, weekly])} />
    {family.proposal !== null && <>
      <h2>{t.proposed}</h2>
      {family.proposal.rules.map(rule => <Times key={rule.start} family={who.family} rule={rule} count={2} />)}
      <Control say="accept" icon="check" tone="go" press={() => intend(family.proposal?.rules ?? [])} />
    </>}
  </Screen>
}

/** Seven days from now: what is intended, and which letters will go. */
function Week({ who, family }: Of): VNode {
  const { actions, attempt } = useStage()
  const [found, setFound] = useState<readonly { readonly at: number, readonly isLetter: boolean }[]>([])
  const rules = [
    ...(family.plan?.rules ?? []).map(rule => ({ rule, isLetter: false })),
    ...family.schedules.filter(it => it.state === 'active').map(({ rule }) => ({ rule, isLetter: true })),
  ]
  useEffect(() => {
    const until = clockNow() + 7 * DAY_MS
    const asked = rules.map(async ({ rule, isLetter }) => {
      const times = await actions.preview(who.family, rule, [rule.zone], MANY)
      return times.filter(it => it.at < until).map(({ at }) => ({ at, isLetter }))
    })
    void attempt(Promise.all(asked).then(all => setFound(all.flat().sort((a, b) => a.at - b.at))))
  }, [JSON.stringify(rules)])
  if (found.length === 0) return <p class="soft">{t.nothing}</p>
  return <ul class="times">
    {found.map(({ at, isLetter }, number) => <li key={number}>
      <Icon of={isLetter ? 'letter' : 'phone'} /> {when(at)}
      {' '}<span class="soft">{isLetter ? t.letterGoes : t.talk}</span>
    </li>)}
  </ul>
}
