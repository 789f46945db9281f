// Screens that the first load does without: they come as a file of their own.

import type { VNode } from 'preact'

import { Data } from './data.tsx'
import { Invite } from './invite.tsx'
import { Later } from './later.tsx'
import { Looks } from './looks.tsx'
import { Menu } from './menu.tsx'
import { Notices } from './notices.tsx'
import { NotSent } from './notsent.tsx'
import { People } from './people.tsx'
import { Pin } from './pin.tsx'
import { Plan } from './plan.tsx'
import { Schedules } from './schedules.tsx'
import { Sees } from './sees.tsx'
import { Settings } from './settings.tsx'
import type { Of, Place } from './stage.ts'

/** `of` is there for a place that has a member. */
export function Rare({ place, of }: { readonly place: Place, readonly of: Of | null }): VNode | null {
  switch (place.at) {
    case 'data': return <Data />
    case 'settings': return <Settings />
    case 'sees': return <Sees />
    case 'menu': return <Menu who={place.who} />
  }
  if (of === null) return null
  switch (place.at) {
    case 'later': return <Later {...of} to={place.to} />
    case 'schedules': return <Schedules {...of} />
    case 'people': return <People {...of} />
    case 'invite': return <Invite {...of} />
    case 'plan': return <Plan {...of} />
    case 'pin': return <Pin {...of} />
    case 'looks': return <Looks {...of} />
    case 'notices': return <Notices {...of} />
    case 'refused': return <NotSent {...of} />
    default: return null
  }
}
