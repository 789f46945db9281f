// Screens, and lines of one, whose file and words are fetched when they are asked for.

import type { ComponentProps, VNode } from 'preact'
import { useEffect, useState } from 'preact/hooks'

import type { Rare } from './rare.tsx'
import { useStage } from './stage.ts'
import { language, speakIn, t } from './words.ts'

export function Rarely(props: ComponentProps<typeof Rare>): VNode | null {
  const { tell } = useStage()
  const [loaded, setLoaded] = useState<{ readonly Rare: typeof Rare } | null>(null)
  const isLine = props.place.at === 'notices'
  useEffect(() => {
    const both = Promise.all([import('./rare.tsx'), speakIn(language, true)])
    both.then(([rare]) => setLoaded(rare), () => isLine || tell(t.problems.offline))
  }, [])
  if (loaded !== null) return <loaded.Rare {...props} />
  return isLine ? null : <main aria-busy="true" />
}
