// How this phone is: its language, its text, its voice, its quiet hours, the faces and their PINs.

import type { VNode } from 'preact'

import { LANGUAGES } from '../languages.ts'
import { Control, Field } from './control.tsx'
import { Face } from './picture.tsx'
import { Name, Screen } from './screen.tsx'
import { shownName } from './shown.ts'
import { served, useStage } from './stage.ts'
import { amount, clock, clockNow, filled, language, place, t } from './words.ts'

const SIZES = [1, 1.25, 1.5, 2] as const

/** Of who switches quiet hours on: nine in the evening to seven. */
const NIGHT = { from: 21 * 60, until: 7 * 60 }

export function Settings(): VNode {
  const { view, actions, attempt, go } = useStage()
  const { settings } = view
  const { quiet } = settings
  const set = (next: Partial<typeof settings>) => void attempt(actions.set(next))
  const { timeZone } = new Intl.DateTimeFormat().resolvedOptions()
  return <Screen say="settings">
    <h2>{t.language}</h2>
    <div class="pair" role="group" aria-label={t.language}>
      {Object.entries(LANGUAGES).map(([tag, word]) => <Control key={tag} say="language" with={{ language: word }}
        name={`language-${tag}`} look="tile" icon="globe"
        isOn={language === tag} label={<span lang={tag}>{word}</span>} press={() => set({ language: tag })} />)}
    </div>
    <h2>{t.textSize}</h2>
    <div class="pair" role="group" aria-label={t.textSize}>
      {SIZES.map(size => <Control key={size} say="textSize" with={{ size: amount(size, { style: 'percent' }) }}
        name={`size-${100 * size}`} look="tile" icon="size"
        isOn={settings.textSize === size} press={() => set({ textSize: size })} />)}
    </div>
    <Control say="speakPrompts" icon="speaker" isOn={settings.speak} press={() => set({ speak: !settings.speak })} />
    <Control say="quiet" icon="moon" isOn={quiet !== null}
      press={() => set({ quiet: quiet === null ? NIGHT : null })} />
    {quiet !== null && <div class="pair">
      <Field say="quietFrom" icon="moon" type="time" value={timeOf(quiet.from)}
        change={it => set({ quiet: { ...quiet, from: minuteOf(it, quiet.from) } })} />
      <Field say="quietUntil" icon="clock" type="time" value={timeOf(quiet.until)}
        change={it => set({ quiet: { ...quiet, until: minuteOf(it, quiet.until) } })} />
    </div>}
    <p class="soft">{filled(t.zoneHere, { place: place(timeZone), time: clock(clockNow()) })}</p>
    {served(view).map(({ family, member }) => {
      const who = { family: family.id, member: member.id }
      const values = { name: shownName(member.name) }
      return <section key={`${family.id}/${member.id}`}>
        <h2><Face of={member} /> <Name of={member} /></h2>
        <div class="pair">
          <Control say="looks" with={values} name={`looks-${family.id}-${member.id}`} look="tile" icon="person"
            press={() => go({ at: 'looks', who })} />
          <Control say="pin" with={values} name={`pin-${family.id}-${member.id}`} look="tile" icon="lock"
            isOn={member.face.hasPin} press={() => go({ at: 'pin', who })} />
        </div>
      </section>
    })}
  </Screen>
}

function timeOf(minutes: number): string {
  return [Math.floor(minutes / 60), minutes % 60].map(it => String(it).padStart(2, '0')).join(':')
}

function minuteOf(time: string, before: number): number {
  const [hours, minutes] = time.split(':').map(Number)
  return hours === undefined || minutes === undefined || Number.isNaN(hours + minutes) ? before : hours * 60 + minutes
}
