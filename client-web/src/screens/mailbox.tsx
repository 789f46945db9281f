// The letters of a child, or of who takes care of it: one at a time and large, the new ones first. The answer is said
// into one big button, or is one of six pictures.

import type { VNode } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'

import type { LetterView, Said } from '../model.ts'
import { Control } from './control.tsx'
import { ANSWERS } from './drawn.ts'
import { LetterBody } from './letter.tsx'
import { Answer, Face, Icon } from './picture.tsx'
import { Rarely } from './rarely.tsx'
import { Receipts } from './receipts.tsx'
import { Recorder } from './recorder.tsx'
import { Name, Screen } from './screen.tsx'
import { shownName } from './shown.ts'
import { ascending, hasNotices, lettersOf, othersOf, timeOf, useStage, type Of } from './stage.ts'
import { t, when } from './words.ts'

/** Letters below the one that is open, and how many more each time. */
const SHOWN = 10

export function Mailbox({ who, family, member }: Of): VNode {
  const { isHome, go, tell, actions, attempt } = useStage()
  const letters = lettersOf(family, who.member)
  const isNew = (letter: LetterView) => letter.newFor.includes(who.member)
  const isTheirs = (letter: LetterView) => letter.from !== who.member
  // As they were said: of several new ones the oldest is heard first.
  const [chosen, choose] = useState(() => (letters.findLast(isNew) ?? letters.find(isTheirs) ?? letters[0])?.ref)
  const [shown, show] = useState(SHOWN)
  const open = letters.find(it => it.ref === chosen)
  const article = useRef<HTMLElement>(null)
  const isFirst = useRef(true)
  useEffect(() => {
    if (!isFirst.current) article.current?.focus()
    isFirst.current = false
  }, [chosen])
  const rest = letters.filter(it => it !== open).sort((a, b) => Number(isNew(b)) - Number(isNew(a)))
  const author = family.members.find(it => it.id === open?.from)
  const others = othersOf(family, member)
  const to = author !== undefined && author !== member ? [author] : others.filter(it => it.role === others[0]?.role)

  const say = async (said: Said) => {
    const isSent = await attempt(actions.send(who.family, who.member, ascending(to.map(it => it.id)), said))
    if (isSent) tell(t.sent)
    return isSent
  }
  return <Screen say="mailbox" of={member}>
    {hasNotices(family, member) && <Rarely place={{ at: 'notices', who }} of={{ who, family, member }} />}
    {open === undefined
      ? <p class="soft center">{t.noLetters}</p>
      : <article class="letter" key={open.ref} tabIndex={-1} ref={article}>
        <p class="from" data-say={`${shownName(author?.name ?? '')}, ${when(timeOf(open))}`}>
          {author && <><Face of={author} /> <Name of={author} /></>} <time>{when(timeOf(open))}</time>
        </p>
        <LetterBody who={who} family={family} member={member} letter={open} look="round" />
        {open.from === who.member && <Receipts family={family} letter={open} />}
      </article>}
    {to.length > 0 && <section aria-label={t.answer}>
      <Recorder say="record" last="send" done={recorded => say({ kind: 'voice', recorded })} />
      <Answers press={picture => say({ kind: 'picture', picture })} />
    </section>}
    <ul class="list">
      {rest.slice(0, shown).map(letter => {
        const from = family.members.find(it => it.id === letter.from)
        return <li key={letter.ref}>
          <Control say={isNew(letter) ? 'newLetter' : 'letter'} name={`letter-${letter.ref}`}
            with={{ name: shownName(from?.name ?? ''), when: when(timeOf(letter)) }}
            icon={from ? <Face of={from} isNew={isNew(letter)} /> : 'letter'} press={() => choose(letter.ref)}
            label={<>
              {from && <Name of={from} />} <span class="soft">{when(timeOf(letter))}</span> <Kind of={letter} />
            </>} />
        </li>
      })}
    </ul>
    {rest.length > shown && <Control say="older" icon="plus" press={() => show(shown + SHOWN)} />}
    <footer>
      <Control say="help" icon="help" look="tile" tone="danger" press={() => go({ at: 'help', who })} />
      <Control say="sees" icon="eye" look="tile" press={() => go({ at: 'sees' })} />
      {isHome && <Control say="menu" icon="menu" look="tile" press={() => go({ at: 'menu', who })} />}
    </footer>
  </Screen>
}

/** Six pictures that are an answer: one press sends. */
export function Answers({ press }: { readonly press: (picture: number) => unknown }): VNode {
  return <div class="answers">
    {ANSWERS.map((_, at) => <Control key={at} say="answer" with={{ picture: t.answers[at] ?? '' }}
      name={`answer-${at + 1}`} look="bare"
      icon={<Answer number={at + 1} />} press={() => press(at + 1)} />)}
  </div>
}

function Kind({ of }: { readonly of: LetterView }): VNode {
  if (of.picture !== null) return <Answer number={of.picture} />
  return <Icon of={of.kind === 'voice' ? 'mic' : 'letter'} />
}
