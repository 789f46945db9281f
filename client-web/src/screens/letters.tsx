// A parent's own: all letters with how far each came, who would be glad to hear, and the way to say something.

import type { VNode } from 'preact'
import { useState } from 'preact/hooks'

import type { LetterView } from '../model.ts'
import { Control } from './control.tsx'
import { LetterBody } from './letter.tsx'
import { Face, Icon } from './picture.tsx'
import { Rarely } from './rarely.tsx'
import { Receipts, recipients } from './receipts.tsx'
import { Name, Names, Screen } from './screen.tsx'
import { share } from './share.ts'
import { isolated, shownName } from './shown.ts'
import { hasNotices, lettersOf, othersOf, timeOf, useStage, type Of } from './stage.ts'
import { civil, filled, place, t, when } from './words.ts'

/** Letters that are shown, and how many more each time. */
const SHOWN = 20

/** How long a link to a voice works for somebody outside the family: a week. */
const LINK_SECONDS = 7 * 86_400

export function Letters({ who, family, member }: Of): VNode {
  const { go } = useStage()
  const [shown, show] = useState(SHOWN)
  const letters = lettersOf(family, who.member)
  const children = othersOf(family, member).filter(it => it.role === 'child').map(it => it.id)
  const glad = family.members.filter(it => family.nudges.includes(it.id))
  return <Screen say="letters">
    {hasNotices(family, member) && <Rarely place={{ at: 'notices', who }} of={{ who, family, member }} />}
    {glad.map(child => <Control key={child.id} say="nudge" with={{ name: isolated(child.name) }}
      name={`nudge-${child.id}`} icon={<Face of={child} />}
      press={() => go({ at: 'compose', who, to: [child.id] })} />)}
    <Control say="compose" icon="mic" look="round" tone="go" press={() => go({ at: 'compose', who, to: children })} />
    {letters.length === 0 && <p class="soft center">{t.noLetters}</p>}
    {letters.slice(0, shown).map(letter => <Letter key={letter.ref} letter={letter} who={who} family={family}
      member={member} />)}
    {letters.length > shown && <Control say="older" icon="plus" press={() => show(shown + SHOWN)} />}
    <footer>
      <Control say="schedules" icon="clock" look="tile" press={() => go({ at: 'schedules', who })} />
      <Control say="help" icon="help" look="tile" tone="danger" press={() => go({ at: 'help', who })} />
      <Control say="menu" icon="menu" look="tile" press={() => go({ at: 'menu', who })} />
    </footer>
  </Screen>
}

function Letter(props: Of & { readonly letter: LetterView }): VNode {
  const { letter, who, family } = props
  const { go, tell, actions, attempt } = useStage()
  const shareVoice = async () => {
    const given = actions.link(who.family, letter.ref, LINK_SECONDS).then(share)
    await attempt(given.then(how => how === 'copied' && tell(t.copied)))
  }
  const author = family.members.find(it => it.id === letter.from)
  const isNew = letter.newFor.includes(who.member)
  const isMine = letter.from === who.member
  const to = isMine ? recipients(family, letter) : []
  return <article class={isMine ? 'letter mine' : 'letter'}>
    <p class="from">
      {author && <><Face of={author} isNew={isNew} /> <Name of={author} /></>}
      {to.length > 0 && <span>→ <Names of={to} /></span>}
      {' '}<time>{when(timeOf(letter))}</time>
    </p>
    {letter.planned !== null && <p class="soft">
      <Icon of="clock" /> {filled(t.plannedFor, { when: civil(letter.planned) })}
      {letter.zone !== null && ` (${place(letter.zone)})`}
    </p>}
    <LetterBody {...props} look="row" />
    {letter.isOwn && <Receipts family={family} letter={letter} />}
    <div class="ends">
      {!isMine && author && <Control say="reply" with={{ name: shownName(author.name) }} name={`reply-${letter.ref}`}
        icon="mic"
        press={() => go({ at: 'compose', who, to: [author.id] })} />}
      {letter.voice !== null && letter.at !== null && <Control say="shareVoice" name={`share-${letter.ref}`}
        icon="share" look="bare"
        press={shareVoice} />}
    </div>
  </article>
}
