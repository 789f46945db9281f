// A card for one more phone: its link as a picture for that phone's camera, or sent by another way.

import type { VNode } from 'preact'
import { useState } from 'preact/hooks'

import type { MemberId } from '../proto/id.ts'
import { toggled } from './compose.tsx'
import { Control } from './control.tsx'
import { Face } from './picture.tsx'
import { Name, Screen } from './screen.tsx'
import { share } from './share.ts'
import { shownName } from './shown.ts'
import { ascending, useStage, type Of } from './stage.ts'
import { t } from './words.ts'

/** How long a card holds. */
const HOURS = 72

/** A link, and the dark modules of its code in a square. */
interface Made {
  readonly link: string
  readonly code: string
  readonly across: number
}

/** Light modules around a code. */
const QUIET = 4

export function Invite({ who, family }: Of): VNode {
  const { actions, attempt, tell } = useStage()
  const [members, setMembers] = useState<readonly MemberId[]>([])
  const [made, setMade] = useState<Made | null>(null)
  const make = async () => {
    const { link } = await actions.invite(who.family, ascending(members), null, HOURS)
    setMade(await drawn(link))
  }
  if (made !== null) {
    return <Screen say="invited">
      <p>{t.scan}</p>
      <svg class="code" viewBox={`0 0 ${made.across} ${made.across}`} role="img" aria-label={t.code}>
        <rect width={made.across} height={made.across} fill="#fff" />
        <path d={made.code} />
      </svg>
      <Control say="share" icon="share"
        press={() => share(made.link).then(how => how === 'copied' && tell(t.copied))} />
    </Screen>
  }
  return <Screen say="invite">
    <div class="faces small">
      {family.members.map(it => <Control key={it.id} say="serves" with={{ name: shownName(it.name) }}
        name={`serves-${it.id}`} look="tile" icon={<Face of={it} />}
        label={<Name of={it} />} isOn={members.includes(it.id)}
        press={() => setMembers(toggled(members, it.id))} />)}
    </div>
    <Control say="makeCard" icon="card" look="round" tone="go" isOff={members.length === 0}
      press={() => attempt(make())} />
  </Screen>
}

async function drawn(link: string): Promise<Made> {
  const { default: qrcode } = await import('qrcode-generator')
  const made = qrcode(0, 'M')
  made.addData(link)
  made.make()
  const count = made.getModuleCount()
  const each = Array.from({ length: count * count }, (_, at) => [Math.floor(at / count), at % count] as const)
  const dark = each.filter(([row, column]) => made.isDark(row, column))
  const code = dark.map(([row, column]) => `M${column + QUIET} ${row + QUIET}h1v1h-1z`).join('')
  return { link, code, across: count + 2 * QUIET }
}
