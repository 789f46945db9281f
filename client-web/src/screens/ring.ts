// The open page rings when a letter comes: two tones made here, and the phone shakes where it can.

import type { Settings } from '../model.ts'
import { hushed } from './speech.ts'

/** How often, and for how long, in ms: a letter waits, so it need not ring for ever. */
const EVERY_MS = 2500
const FOR_MS = 30_000

/** In Hz: two tones, twice. */
const TONES = [660, 880, 660, 880]

let sounds: AudioContext | null = null
let timer: ReturnType<typeof setInterval> | undefined

/** A browser lets a page sound once a person has touched it. Until it rings, the sound costs no power. */
export function allowSounds(): void {
  sounds = new AudioContext()
  void sounds.resume().then(() => (timer === undefined ? sounds?.suspend() : undefined))
}

/** Whether it is one of this phone's quiet hours; they may go over midnight. */
export function isQuiet(quiet: Settings['quiet'], now: Date): boolean {
  if (quiet === null) return false
  const minute = now.getHours() * 60 + now.getMinutes()
  const { from, until } = quiet
  return from <= until ? minute >= from && minute < until : minute >= from || minute < until
}

export function ring(): void {
  stopRinging()
  const end = Date.now() + FOR_MS
  const once = () => {
    if (Date.now() > end) return stopRinging()
    if (hushed()) return
    shake([300, 150, 300])
    void sounds?.resume().then(chime)
  }
  timer = setInterval(once, EVERY_MS)
  once()
}

export function stopRinging(): void {
  if (timer === undefined) return
  clearInterval(timer)
  timer = undefined
  shake([])
  void sounds?.suspend()
}

/** Neither does a page shake the phone before somebody has touched it: the browser would say so in its console. */
function shake(pattern: number[]): void {
  if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.(pattern)
}

function chime(): void {
  if (sounds === null || timer === undefined) return
  for (const [at, hertz] of TONES.entries()) {
    const begin = sounds.currentTime + at * 0.25
    const tone = new OscillatorNode(sounds, { frequency: hertz })
    const loudness = new GainNode(sounds, { gain: 0 })
    loudness.gain.setValueAtTime(0.25, begin)
    loudness.gain.exponentialRampToValueAtTime(0.001, begin + 0.24)
    tone.connect(loudness).connect(sounds.destination)
    tone.start(begin)
    tone.stop(begin + 0.25)
  }
}
