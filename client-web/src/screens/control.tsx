// The one way to make something that a person acts on: it has an icon and a spoken prompt, so that nobody
// needs to read. A test finds what is made otherwise.

import type { ComponentChildren, VNode } from 'preact'
import { useMemo, useState } from 'preact/hooks'

import type { IconName } from './drawn.ts'
import { guard, type Press } from './guard.ts'
import { Icon } from './picture.tsx'
import { hush, speak } from './speech.ts'
import { useStage } from './stage.ts'
import { filled, t, type Values, type Word } from './words.ts'

interface Spoken {
  /** Whose label and prompt it has. */
  readonly say: Word
  /** What stands in their braces. */
  readonly with?: Values
  /** A drawing of ours, or a face. */
  readonly icon: IconName | VNode
  /** For the tests of the browser; its word where there is one of it. */
  readonly name?: string
}

interface ControlProps extends Spoken {
  /** Where it gives a promise, the control is off until that settles: a finger that taps twice has pressed once. */
  readonly press: Press
  /** Shown in place of the label; the prompt stays. */
  readonly label?: ComponentChildren
  /** `row` has its label beside it, `tile` below, `round` is large, `bare` shows the icon alone. */
  readonly look?: 'row' | 'tile' | 'round' | 'bare'
  readonly tone?: 'go' | 'danger' | undefined
  /** Of a choice: whether it is chosen. */
  readonly isOn?: boolean
  readonly isOff?: boolean
  /** A finger that comes and goes, before it is a press. */
  readonly hold?: { readonly down: () => void, readonly up: () => void }
}

export function Control(props: ControlProps): VNode {
  const { say, icon, press, label, look = 'row', tone, isOn, isOff, hold } = props
  const [word, prompt] = t.controls[say]
  const [isBusy, setBusy] = useState(false)
  const once = useMemo(() => guard(setBusy), [])
  const { onFocus, ...spoken } = useSpoken(filled(prompt, props.with))
  return <button type="button" class={['control', look, tone].filter(Boolean).join(' ')}
    data-control={props.name ?? say} aria-pressed={isOn} disabled={isOff} aria-disabled={isBusy || undefined} {...spoken}
    onFocus={onFocus} onClick={() => (hush(), once(press))} onPointerDown={hold?.down} onPointerUp={hold?.up} onPointerCancel={hold?.up}
    onContextMenu={hold && (event => event.preventDefault())}>
    {typeof icon === 'string' ? <Icon of={icon} /> : icon}
    <span class="label">{label ?? filled(word, props.with)}</span>
    {isOn === true && <Icon of="check" />}
  </button>
}

/** UTF-16 units of a letter: the relay takes 16 KiB of a sealed text, and a unit may be three bytes. */
const LONGEST = 5000

interface FieldProps extends Spoken {
  readonly type: 'text' | 'date' | 'time' | 'lines'
  readonly value: string
  readonly change: (value: string) => void
}

/** Something to write, or a time. */
export function Field(props: FieldProps): VNode {
  const { say, icon, type, value, change } = props
  const [word, prompt] = t.controls[say]
  const common = {
    value, dir: 'auto' as const, 'data-control': props.name ?? say, ...useSpoken(filled(prompt, props.with)),
    onInput: (event: { readonly currentTarget: { readonly value: string } }) => change(event.currentTarget.value),
  }
  return <label class="field">
    {typeof icon === 'string' ? <Icon of={icon} /> : icon} <span class="label">{filled(word, props.with)}</span>
    {type === 'lines' ? <textarea rows={4} maxLength={LONGEST} {...common} />
      : type === 'text' ? <input type="text" autocomplete="off" {...common} />
      : <input type={type} {...common} />}
  </label>
}

// Who comes by keys hears it; a finger's press is an answer in itself.
function useSpoken(prompt: string) {
  const { view } = useStage()
  return {
    'data-say': prompt,
    onFocus: (event: { readonly currentTarget: Element }) => {
      if (!view.settings.speak || !event.currentTarget.matches(':focus-visible')) return
      hush()
      speak(prompt)
    },
  }
}
