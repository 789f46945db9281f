// Everything else. What belongs to a family is there for its grown-ups.

import type { VNode } from 'preact'

import { Control } from './control.tsx'
import { Name, Screen } from './screen.tsx'
import { useStage, type Who } from './stage.ts'

export function Menu({ who }: { readonly who: Who | null }): VNode {
  const { view, go } = useStage()
  const families = view.families.filter(it => who === null || it.id === who.family).flatMap(family => {
    const grown = family.members.filter(it => it.isServed && it.role !== 'child')
    const member = grown.find(it => it.id === who?.member) ?? grown[0]
    return member === undefined ? [] : [{ family, member }]
  })
  return <Screen say="menu">
    {families.map(({ family, member }) => {
      const who = { family: family.id, member: member.id }
      return <section key={family.id}>
        {families.length > 1 && <h2><Name of={member} /></h2>}
        <Control say="schedules" icon="clock" press={() => go({ at: 'schedules', who })} />
        <Control say="plan" icon="calendar" press={() => go({ at: 'plan', who })} />
        <Control say="people" icon="people" press={() => go({ at: 'people', who })} />
      </section>
    })}
    <Control say="data" icon="data" press={() => go({ at: 'data' })} />
    <Control say="settings" icon="settings" press={() => go({ at: 'settings' })} />
    <Control say="sees" icon="eye" press={() => go({ at: 'sees' })} />
    <Control say="joinMore" icon="door" press={() => go({ at: 'join' })} />
  </Screen>
}
