// What a letter holds: one press plays a voice, or reads a text aloud to who does not read. How far it
// came is reported.

import type { RefObject, VNode } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'

import type { LetterView, VoiceView } from '../model.ts'
import { Control } from './control.tsx'
import { Answer, Icon } from './picture.tsx'
import { Written } from './screen.tsx'
import { shownText } from './shown.ts'
import { hush, speak } from './speech.ts'
import { useStage, type Of } from './stage.ts'
import { length, size, t } from './words.ts'

/** From this share on a voice was heard, as the relay counts it. */
export const HEARD = 50

/** Rungs of a receipt. */
const OPENED = 2
const SHOWN = 4
const DONE = 5

interface LetterProps extends Of {
  readonly letter: LetterView
  readonly look: 'row' | 'round'
}

export function LetterBody(props: LetterProps): VNode {
  const { letter } = props
  if (letter.fault === null) return <Content {...props} />
  return <>
    {letter.isOwn && letter.writtenAt > 0 && <Content {...props} />}
    <p class="soft"><Icon of="warning" /> {t.faults[letter.fault]}</p>
  </>
}

function Content(props: LetterProps): VNode | null {
  const { letter } = props
  switch (letter.kind) {
    case 'voice': return letter.voice && <Voice {...props} voice={letter.voice} />
    case 'picture': return <Picture {...props} />
    default: return <Text {...props} />
  }
}

/** What is reported of a letter for this member: once, and again only for more. */
function useReport({ who, letter, member }: LetterProps) {
  const { actions, attempt } = useStage()
  const isChild = member.role === 'child'
  const { rung = 0, share: before = 0 } = letter.reached.get(who.member) ?? {}
  const report = (to: 'opened' | 'played' | 'shown', share?: number) => (
    attempt(actions.report(who.family, letter.ref, who.member, to, share))
  )
  const isDone = letter.from === who.member || rung >= SHOWN
  return {
    /** A child's own face, and its PIN, led here: it was shown to the child. */
    opened: () => {
      if (!isDone && (isChild || rung < OPENED)) void report(isChild ? 'shown' : 'opened')
    },
    played: async (share: number) => {
      if (isDone || share <= (before ?? 0)) return
      await report('played', share)
      if (share >= HEARD && isChild) await report('shown')
    },
  }
}

/** Once it was on the screen: what lies further down, or in a page behind others, was opened by nobody. */
function useSeen(seen: () => void, ref: string): RefObject<HTMLDivElement | null> {
  const place = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const watch = new IntersectionObserver(([entry]) => {
      if (!entry?.isIntersecting) return
      watch.disconnect()
      seen()
    })
    if (place.current !== null) watch.observe(place.current)
    return () => watch.disconnect()
  }, [ref])
  return place
}

function Text(props: LetterProps): VNode {
  const { letter, family, look, who } = props
  const { actions, attempt } = useStage()
  const place = useSeen(useReport(props).opened, letter.ref)
  const author = family.members.find(it => it.id === letter.from)
  const { rung = 0 } = letter.reached.get(who.member) ?? {}
  const isDue = letter.kind === 'reminder' && letter.from !== who.member && rung < DONE
  return <div ref={place}>
    <Written text={letter.text} />
    <Control say="readLetter" icon="speaker" look={look} tone={look === 'round' ? 'go' : undefined}
      press={() => (hush(), speak(shownText(letter.text), author?.language))} />
    {isDue && <Control say="done" icon="check"
      press={() => attempt(actions.report(who.family, letter.ref, who.member, 'done'))} />}
  </div>
}

function Picture(props: LetterProps): VNode {
  const place = useSeen(useReport(props).opened, props.letter.ref)
  const number = props.letter.picture ?? 0
  return <div ref={place} class="answer">
    <Answer number={number} /><span class="unseen">{t.answers[number - 1]}</span>
  </div>
}

function Voice(props: LetterProps & { readonly voice: VoiceView }): VNode {
  const { letter, voice, look, who, member } = props
  const { view, player, actions, attempt } = useStage()
  const { played } = useReport(props)
  const [share, setShare] = useState<number | null>(null)
  const [asks, setAsks] = useState(false)
  // Another press, or another letter, ends what was asked for before.
  const turn = useRef(0)
  const isPlaying = useRef(false)
  const end = () => {
    turn.current++
    if (isPlaying.current) player.stop()
    isPlaying.current = false
    setShare(null)
  }
  useEffect(() => end, [letter.ref])

  const isAway = voice.state === 'away'
  const isMoving = voice.state === 'coming' || voice.state === 'going'
  const { capMb } = view.settings
  const passesCap = isAway && capMb !== null && view.used.up + view.used.down + voice.size > capMb * 1_000_000

  const play = async () => {
    setAsks(false)
    setShare(0)
    const mine = ++turn.current
    isPlaying.current = true
    let [now, reported] = [0, 0]
    const onShare = (percent: number) => {
      now = Math.round(percent)
      if (mine === turn.current) setShare(now)
      // A page that is closed in the middle has said what matters.
      if (now >= HEARD && reported === 0) void played(reported = now)
    }
    // The sound is waited for within the press: else an iPhone plays nothing.
    await attempt(player.play(actions.sound(who.family, letter.ref), onShare, voice.duration))
    if (mine === turn.current) {
      isPlaying.current = false
      setShare(null)
    }
    // Above shown there is no more to say.
    if (now > reported && (reported === 0 || member.role !== 'child')) await played(now)
  }
  const press = () => {
    if (share !== null) return end()
    if (passesCap) return setAsks(true)
    void play()
  }

  if (voice.state === 'gone') return <p class="soft">{t.faults.gone}</p>
  return <div class="voice">
    <Control say={share === null ? 'play' : 'stopPlaying'} name="play" icon={share === null ? 'play' : 'pause'}
      look={look} press={press}
      tone={look === 'round' ? 'go' : undefined}
      label={<>{length(voice.duration)}{isAway && <span class="soft"> {size(voice.size)}</span>}</>} />
    {share !== null && <progress max={100} value={share} aria-label={t.playing} />}
    {isMoving && <progress max={1} value={voice.share} aria-label={t.moving} />}
    {asks && <div class="bar">
      <p>{t.overCap}</p>
      <Control say="fetchAnyway" icon="fetch" press={() => void play()} />
      <Control say="notNow" icon="close" press={() => setAsks(false)} />
    </div>}
  </div>
}
