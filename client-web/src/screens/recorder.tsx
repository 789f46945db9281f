// One big button: held it records until it is let go, tapped until it is tapped again. Then it may be heard, and goes.

import type { VNode } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'

import type { Recorded } from '../model.ts'
import type { Recording } from '../voice/types.ts'
import { Control } from './control.tsx'
import { setHushed } from './speech.ts'
import { useStage } from './stage.ts'
import { length, size, t, type Word } from './words.ts'

/** A finger that stays longer holds the button; a shorter one has tapped it, in ms. */
const HOLD_MS = 700

/** A press that comes so soon after the finger left is the finger's own, in ms. */
const OWN_MS = 400

/** How often the meter looks, in ms. */
const METER_MS = 150

interface RecorderProps {
  /** Its word before, and that of the last step. */
  readonly say: Word
  readonly last: Word
  /** Whether it went: until then what was said stays. */
  readonly done: (recorded: Recorded) => Promise<boolean> | boolean
}

export function Recorder({ say, last, done }: RecorderProps): VNode {
  const { player, attempt } = useStage()
  const [recording, setRecording] = useState<Recording | null>(null)
  const [recorded, setRecorded] = useState<Recorded | null>(null)
  const [isBusy, setBusy] = useState(false)
  const downAt = useRef<number | null>(null)
  const upAt = useRef(0)
  const running = useRef<Recording | null>(null)
  const isGone = useRef(false)
  const root = useRef<HTMLDivElement>(null)
  const keep = (next: Recording | null) => {
    running.current = next
    setRecording(next)
    setHushed(next !== null)
  }
  useEffect(() => () => {
    isGone.current = true
    running.current?.cancel()
    setHushed(false)
  }, [])

  // The button that was pressed is gone: who uses keys goes on at the next.
  useEffect(() => {
    if (recorded !== null) root.current?.querySelector('button')?.focus({ preventScroll: true })
  }, [recorded])

  const begin = async () => {
    if (isBusy) return
    setBusy(true)
    setHushed(true)
    if (!await attempt(player.record().then(it => (isGone.current ? it.cancel() : keep(it))))) setHushed(false)
    setBusy(false)
  }
  const end = async (use: (recorded: Recorded) => unknown) => {
    const ending = running.current
    if (ending === null) return
    keep(null)
    await attempt(ending.stop().then(use))
  }
  const give = async (recorded: Recorded) => {
    setRecorded(recorded)
    // The finger that let go is above this button now: that is no press.
    if (Date.now() - upAt.current < OWN_MS) return
    setBusy(true)
    if (await done(recorded)) setRecorded(null)
    setBusy(false)
  }
  const hold = {
    down: () => {
      if (running.current !== null) return
      downAt.current = Date.now()
      void begin()
    },
    up: () => {
      if (downAt.current === null) return
      upAt.current = Date.now()
      if (Date.now() - downAt.current > HOLD_MS) void end(setRecorded)
      setTimeout(() => (downAt.current = null), OWN_MS)
    },
  }
  const press = () => {
    const isOwn = downAt.current !== null
    downAt.current = null
    if (!isOwn) void (running.current === null ? begin() : end(setRecorded))
  }

  if (recorded !== null) {
    return <div class="recorder" ref={root}>
      <p class="meter-line">{length(recorded.duration)} · {size(recorded.blob.size)}</p>
      <Control key="give" say={last} icon="send" look="round" tone="go" isOff={isBusy}
        press={() => give(recorded)} />
      <div class="pair">
        <Control say="hearAgain" icon="play" look="tile"
          press={() => void attempt(player.play(recorded.blob, () => undefined, recorded.duration))} />
        <Control say="discard" icon="discard" look="tile" isOff={isBusy}
          press={() => (player.stop(), setRecorded(null))} />
      </div>
    </div>
  }
  return <div class="recorder">
    {recording !== null && <Meter of={recording} />}
    <Control key="record" say={recording === null ? say : 'stopRecording'} name="record"
      icon={recording === null ? 'mic' : 'stop'} look="round"
      tone={recording === null ? undefined : 'danger'} hold={hold} press={press} />
    {recording !== null && <div class="pair">
      <Control say={last} icon="send" look="tile" tone="go" press={() => end(give)} />
      <Control say="discard" icon="discard" look="tile" press={() => (running.current?.cancel(), keep(null))} />
    </div>}
  </div>
}

function Meter({ of }: { readonly of: Recording }): VNode {
  const [, look] = useState(0)
  useEffect(() => {
    const timer = setInterval(() => look(n => n + 1), METER_MS)
    return () => clearInterval(timer)
  }, [of])
  return <p class="meter-line">
    <meter aria-label={t.loudness} min={0} max={1} value={of.level()} /> {length(of.elapsed())}
  </p>
}
