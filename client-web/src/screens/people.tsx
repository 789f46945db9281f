// Who is in the family, on which phones, with which cards, and what changed: a stranger would be seen here.

import type { VNode } from 'preact'
import { useEffect, useState } from 'preact/hooks'

import type { FamilyView, MemberView } from '../model.ts'
import type { MemberId } from '../proto/id.ts'
import { Control, Field } from './control.tsx'
import { Face, Icon } from './picture.tsx'
import { Name, Names, Screen } from './screen.tsx'
import { shownName } from './shown.ts'
import { useStage, type Of } from './stage.ts'
import { Sure } from './sure.tsx'
import { filled, place, t, when } from './words.ts'

export function People(props: Of): VNode {
  const { who, family } = props
  const { actions, attempt, go } = useStage()
  const isNews = family.news.length > 0
  useEffect(() => {
    if (isNews) void attempt(actions.seen(family.id))
  }, [isNews])
  return <Screen say="people">
    {family.leaving && <p class="bar">
      <Icon of="warning" /> {filled(t.leaving, { when: when(family.leaving.until) })}
    </p>}
    {family.members.map(it => <Member key={it.id} {...props} of={it} />)}
    <Control say="invite" icon="card" press={() => go({ at: 'invite', who })} />
    <h2>{t.phones}</h2>
    {family.phones.map(phone => <article class="letter" key={phone.device}>
      <p><Icon of="phone" /> <Names of={membersOf(family, phone.members)} /></p>
      <p class="soft">{read(phone)}</p>
      {!phone.isThis && <Sure say="remove" name={`remove-${phone.device}`} icon="discard"
        act={() => attempt(actions.remove(family.id, phone.device))} />}
    </article>)}
    {family.cards.length > 0 && <h2>{t.cards}</h2>}
    {family.cards.map(card => <article class="letter" key={card.invite}>
      <p><Icon of="card" /> <Names of={membersOf(family, card.members)} /></p>
      <p class="soft">{filled(t.until, { when: when(card.expiresAt) })}</p>
      <Sure say="closeCard" name={`close-${card.invite}`} icon="close"
        act={() => attempt(actions.close(family.id, card.invite))} />
    </article>)}
    <h2>{t.changed}</h2>
    <ul class="receipts">
      {family.changes.map((it, at) => <Changed key={at} of={it} family={family} />)}
    </ul>
  </Screen>
}

function Member({ who, family, of }: Of & { readonly of: MemberView }): VNode {
  const { actions, attempt } = useStage()
  const [isOpen, setOpen] = useState(false)
  const [name, write] = useState(of.name)
  const consent = family.consents.find(it => it.member === of.id)
  const save = async () => {
    if (await attempt(actions.name(family.id, of.id, name.trim()))) setOpen(false)
  }
  const withdraw = (what: 'taking' | 'counting') => attempt(actions.withdraw(family.id, who.member, [of.id], what))
  return <>
    <Control say="member" with={{ name: shownName(of.name) }} name={`member-${of.id}`} icon={<Face of={of} />}
      isOn={isOpen} press={() => setOpen(!isOpen)}
      label={<><Name of={of} /> <span class="soft">{t.roles[of.role]}, {place(of.zone)}</span></>} />
    {isOpen && <section class="letter">
      {consent && <p class="soft">{t.taking[consent.taking]} {consent.counting ? t.counted : t.notCounted}</p>}
      <Field say="rename" icon="write" type="text" value={name} change={write} />
      <Control say="save" icon="check" isOff={name.trim() === '' || name === of.name} press={save} />
      {consent?.counting && <Sure say="stopCounting" name="stop-counting" icon="data"
        act={() => withdraw('counting')} />}
      {consent?.taking === 'agreed' && <Sure say="stopTaking" name="stop-taking" icon="close"
        act={() => withdraw('taking')} />}
    </section>}
  </>
}

type Change = FamilyView['changes'][number]

function Changed({ of, family }: { readonly of: Change, readonly family: FamilyView }): VNode {
  const icon = of.what === 'joined' ? 'door' : of.what === 'removed' ? 'discard' : 'card'
  const phone = family.phones.find(it => it.device === of.device) ?? family.cards.find(it => it.invite === of.invite)
  return <li>
    <Icon of={icon} />
    <span>
      {t.changes[of.what]} {phone !== undefined && <>(<Names of={membersOf(family, phone.members)} />)</>}
      {' '}– {t.by[of.by]}{of.askedByRelay && `, ${t.asked}`}, {when(of.at)}
    </span>
  </li>
}

function membersOf(family: FamilyView, ids: readonly MemberId[]): readonly MemberView[] {
  return family.members.filter(it => ids.includes(it.id))
}

function read({ isThis, readAt }: FamilyView['phones'][number]): string {
  if (isThis) return t.thisPhone
  return readAt === null ? t.neverRead : filled(t.lastRead, { when: when(readAt) })
}
