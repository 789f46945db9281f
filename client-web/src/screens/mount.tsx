// Where the screens begin: one is open at a time, on a pile that the phone's own back button takes from.

import { render, type VNode } from 'preact'
import { useEffect, useReducer, useState } from 'preact/hooks'

import { ours } from '../languages.ts'
import { Problem, type Actions, type View } from '../model.ts'
import styles from '../phone.css'
import { CannotPlay, type Player } from '../voice/types.ts'
import { Compose } from './compose.tsx'
import { Faces } from './faces.tsx'
import { Help } from './help.tsx'
import { Join } from './join.tsx'
import { Letters } from './letters.tsx'
import { Lock } from './lock.tsx'
import { Mailbox } from './mailbox.tsx'
import { Icon } from './picture.tsx'
import { Rarely } from './rarely.tsx'
import { allowSounds, stopRinging } from './ring.ts'
import { Ringing } from './ringing.tsx'
import { StageContext, find, hasNew, mailboxOf, served, useStage, type Place, type Stage } from './stage.ts'
import { Troubles } from './trouble.tsx'
import { keepTime, language, speakIn, t } from './words.ts'

/** When words that did not come are asked for again, in ms. */
const AGAIN_MS = 2000

/** How long something told stays, in ms. */
const TOLD_MS = 8000

export interface Source {
  view(): View
  /** Gives what ends it. */
  subscribe(changed: () => void): () => void
}

/** Shows the screens in `root`. With a link, a person was sent one: it is asked first. */
export function mount(
  root: HTMLElement,
  source: Source,
  actions: Actions,
  player: Player,
  link: string | null = null,
): void {
  dress()
  addEventListener('pointerdown', allowSounds, { once: true })
  addEventListener('pointerdown', stopRinging)
  addEventListener('keydown', stopRinging)
  const begin = () => render(<App source={source} actions={actions} player={player} link={link} />, root)
  const take = () => void speakIn(wanted(source.view())).then(begin, () => setTimeout(take, AGAIN_MS))
  take()
}

/** Where there is no phone to show: says why. */
export async function sayWhyNot(root: HTMLElement, why: keyof typeof t.problems): Promise<void> {
  dress()
  await speakIn(ours(navigator.languages))
  document.documentElement.lang = language
  render(<main>
    <header><h1>{t.title}</h1></header>
    <p role="alert" class="bar red"><Icon of="warning" /> {t.problems[why]}</p>
  </main>, root)
}

function dress(): void {
  const sheet = new CSSStyleSheet()
  sheet.replaceSync(styles)
  document.adoptedStyleSheets = [sheet]
}

function wanted(view: View): string {
  return view.settings.language ?? ours(navigator.languages)
}

interface AppProps {
  readonly source: Source
  readonly actions: Actions
  readonly player: Player
  readonly link: string | null
}

function App({ source, actions, player, link }: AppProps): VNode {
  const [, again] = useReducer((n: number, _: void) => n + 1, 0)
  const [pile, setPile] = useState<readonly Place[]>([{ at: 'home' }])
  const [told, tell] = useState('')
  const view = source.view()
  keepTime(view.clock)
  useEffect(() => {
    // What changed before this ran is seen as well.
    again()
    return source.subscribe(again)
  }, [])
  useEffect(() => {
    // Forward again is no way: what was left is gone.
    const pop = (event: PopStateEvent) => setPile(pile => pile.slice(0, Number(event.state ?? 0) + 1))
    addEventListener('popstate', pop)
    return () => removeEventListener('popstate', pop)
  }, [])
  useEffect(() => {
    void speakIn(wanted(view)).catch(() => tell(t.problems.offline)).then(again)
  }, [view.settings.language])
  useEffect(() => {
    document.documentElement.lang = language
    document.documentElement.style.fontSize = `${100 * view.settings.textSize}%`
    document.title = (served(view).some(it => hasNew(it.family, it.member.id)) ? '● ' : '') + t.title
  })
  useEffect(() => {
    const timer = setTimeout(tell, TOLD_MS, '')
    return () => clearTimeout(timer)
  }, [told])
  const stage: Stage = {
    view, actions, player, tell,
    isHome: pile.length === 1,
    go: (next, isInstead = false) => {
      if (!isInstead) history.pushState(pile.length, '')
      tell('')
      setPile(pile => [...pile.slice(0, isInstead ? -1 : pile.length), next])
    },
    back: () => new Promise(there => {
      addEventListener('popstate', () => there(), { once: true })
      history.back()
    }),
    attempt: async work => {
      try {
        await work
        return true
      } catch (error) {
        tell(t.problems[wordOf(error)])
        return false
      }
    },
  }
  return <StageContext.Provider value={stage}>
    <Troubles />
    <Ringing tell={tell} />
    <Shown place={pile.at(-1) ?? { at: 'home' }} link={link} />
    <p role="status" class="told">{told}</p>
  </StageContext.Provider>
}

/** What a person is told of it; what is no fault of theirs or of the network is for who looks into the page. */
function wordOf(error: unknown): keyof typeof t.problems {
  if (error instanceof Problem) return error.word
  if (error instanceof CannotPlay) return 'cannotPlay'
  reportError(error)
  return 'refused'
}

/** The screen of a place, behind the pictures of its member's PIN where it has one. */
function Shown({ place, link }: { readonly place: Place, readonly link: string | null }): VNode | null {
  const { view } = useStage()
  const [unlocked, unlock] = useState('')
  const [isJoining, setJoining] = useState(link !== null)
  const at = place.at === 'home' ? homeOf(view) : place
  const who = 'who' in at ? at.who : null
  const found = who && find(view, who)
  const key = who && `${who.family}/${who.member}`
  useEffect(() => {
    const hide = () => document.hidden && unlock('')
    document.addEventListener('visibilitychange', hide)
    return () => document.removeEventListener('visibilitychange', hide)
  }, [])
  // Locked again among the faces, at another's letters, and once the page was away.
  useEffect(() => {
    if (key === null ? at.at === 'home' : key !== unlocked) unlock('')
  }, [key, at.at])
  if (isJoining || at.at === 'join') return <Join link={isJoining ? link : null} done={() => setJoining(false)} />
  switch (at.at) {
    case 'help': return <Help who={at.who} />
    case 'menu': return <Rarely place={at} of={null} />
    case 'sees': case 'data': case 'settings': return <Rarely place={at} of={null} />
  }
  if (!('who' in at) || found === null || key === null) return <Faces />
  const of = { who: at.who, ...found }
  if (found.member.face.hasPin && unlocked !== key) return <Lock {...of} open={() => unlock(key)} />
  switch (at.at) {
    case 'mailbox': return <Mailbox key={key} {...of} />
    case 'letters': return <Letters {...of} />
    case 'compose': return <Compose {...of} to={at.to} />
    default: return <Rarely place={at} of={of} />
  }
}

function homeOf(view: View): Place {
  const all = served(view)
  const [only] = all
  if (only === undefined) return { at: 'join' }
  return all.length === 1 ? mailboxOf(only.family, only.member) : { at: 'home' }
}
