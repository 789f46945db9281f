// A letter that comes while the page is open: it rings, is said aloud, and one press opens it. Whose it is stands here
// nowhere: another's mailbox may be open.

import type { VNode } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'

import { Control } from './control.tsx'
import { isQuiet, ring } from './ring.ts'
import { find, mailboxOf, useStage, type Who } from './stage.ts'
import { clockNow, t } from './words.ts'

export function Ringing({ tell }: { readonly tell: (text: string) => void }): VNode | null {
  const { view, go } = useStage()
  const known = useRef<ReadonlySet<string> | null>(null)
  const [who, setWho] = useState<Who | null>(null)
  useEffect(() => {
    const fresh = new Map<string, Who>()
    for (const family of view.families) {
      for (const letter of family.letters) {
        for (const member of letter.newFor) {
          fresh.set(`${family.id}/${letter.ref}/${member}`, { family: family.id, member })
        }
      }
    }
    const before = known.current
    known.current = new Set(fresh.keys())
    if (fresh.size === 0) setWho(null)
    const came = [...fresh].find(([key]) => before !== null && !before.has(key))
    if (came === undefined) return
    setWho(came[1])
    tell(t.came)
    if (!isQuiet(view.settings.quiet, new Date(clockNow()))) ring()
  }, [view])
  const found = who && find(view, who)
  if (found === null) return null
  const open = () => {
    setWho(null)
    go(mailboxOf(found.family, found.member))
  }
  return <aside aria-label={t.came}><Control say="ringing" icon="bell" tone="go" press={open} /></aside>
}
