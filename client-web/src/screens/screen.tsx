// The frame of a screen: a way back, its title, the ear that reads it aloud.

import type { ComponentChildren, VNode } from 'preact'
import { useEffect, useRef } from 'preact/hooks'

import type { MemberView } from '../model.ts'
import { Control } from './control.tsx'
import { Face } from './picture.tsx'
import { shownName, shownText } from './shown.ts'
import { hush, readAloud, speak } from './speech.ts'
import { useStage } from './stage.ts'
import { t, type ScreenWord } from './words.ts'

interface ScreenProps {
  readonly say: ScreenWord
  /** Shown in place of the title. */
  readonly of?: MemberView
  readonly children: ComponentChildren
}

export function Screen({ say, of, children }: ScreenProps): VNode {
  const { view, isHome, back } = useStage()
  const main = useRef<HTMLElement>(null)
  const heading = useRef<HTMLHeadingElement>(null)
  const [title, prompt = ''] = t.screens[say]
  useEffect(() => {
    heading.current?.focus()
    scrollTo(0, 0)
    if (view.settings.speak) speak(prompt)
    return hush
  }, [say])
  return <main ref={main} data-screen={say}>
    <header>
      {!isHome && <Control say="back" icon="back" look="bare" press={back} />}
      <h1 tabIndex={-1} ref={heading} data-say={prompt}>
        {of === undefined ? title : <><Face of={of} /> <Name of={of} /><span class="unseen">, {title}</span></>}
      </h1>
      <Control say="ear" icon="ear" look="bare" press={() => main.current && readAloud(main.current)} />
    </header>
    {children}
  </main>
}

/** A person's name, apart from the text around it. */
export function Name({ of }: { readonly of: { readonly name: string } }): VNode {
  return <bdi dir="auto">{shownName(of.name)}</bdi>
}

export function Names({ of }: { readonly of: readonly { readonly id: number, readonly name: string }[] }): VNode {
  return <>{of.map((it, at) => <span key={it.id}>{at > 0 && ', '}<Name of={it} /></span>)}</>
}

/** What a person wrote. */
export function Written({ text }: { readonly text: string }): VNode {
  return <p class="written" dir="auto">{shownText(text)}</p>
}
