// What is kept of an enrolment while the tab is open: in memory alone, as who has a card's link can join.

import { draw, type Drawn, type PrintedCard } from './draw.ts'
import type { Family } from './family.ts'
import { isToWait, type Answer } from './send.ts'

/** What became of a family: `elsewhere` is enrolled by other cards than ours. */
export type Fate = 'drawn' | 'active' | 'not_active' | 'elsewhere' | 'refused'

interface Kept {
  /** What the list said of it when its cards were made. */
  readonly rows: string
  readonly drawn: Drawn
  fate: Fate
  reason: string
}

/** What is to be told of a family, beside that it is enrolled. */
export interface Told {
  readonly caseCode: string
  readonly fate: Fate
  readonly reason: string
}

export class Work {
  readonly #kept = new Map<string, Kept>()
  #areLinksSafe = true

  /** Draws those that are new. One that was drawn before is sent again as it was, for its cards may be printed. */
  async draw(families: readonly Family[], origin: string, progressed: (drawn: number) => void): Promise<void> {
    for (const [at, family] of families.entries()) {
      const kept = this.#kept.get(family.caseCode)
      if (kept === undefined || kept.fate === 'refused') {
        const drawn = await draw(family, origin, Date.now())
        this.#kept.set(family.caseCode, { rows: rows(family), drawn, fate: 'drawn', reason: '' })
        this.#areLinksSafe = false
      }
      progressed(at + 1)
    }
  }

  /** Those that the relay has not answered for, or had no time for. */
  get waiting(): Drawn[] {
    return [...this.#kept.values()].filter(kept => kept.fate === 'drawn').map(kept => kept.drawn)
  }

  /** Notes what the relay said to one. One that is to wait stays as it was, to go again with the same bytes and cards. */
  settle(family: Drawn, answer: Answer): void {
    const kept = this.#kept.get(family.caseCode)
    if (kept === undefined || isToWait(answer)) return
    if ('code' in answer) {
      kept.fate = 'refused'
      kept.reason = answer.text
    } else if (answer.scope !== family.scope || answer.caseCode !== family.caseCode) {
      kept.fate = 'elsewhere'
    } else {
      kept.fate = answer.active ? 'active' : 'not_active'
    }
  }

  /** The cards of all families that the relay has confirmed. */
  get cards(): PrintedCard[] {
    return [...this.#kept.values()].filter(isOurs).flatMap(kept => kept.drawn.cards)
  }

  /** All that were made, those too whose answer was lost: what may have been taken can always be printed. */
  get allCards(): PrintedCard[] {
    return [...this.#kept.values()]
      .filter(kept => isOurs(kept) || kept.fate === 'drawn')
      .flatMap(kept => kept.drawn.cards)
  }

  get told(): Told[] {
    return [...this.#kept].map(([caseCode, { fate, reason }]) => ({ caseCode, fate, reason }))
  }

  /** Those whose rows have changed since their cards were made: what they say otherwise now is not used. */
  changed(families: readonly Family[]): string[] {
    const isChanged = (family: Family) => {
      const kept = this.#kept.get(family.caseCode)
      return kept !== undefined && isOurs(kept) && kept.rows !== rows(family)
    }
    return families.filter(isChanged).map(family => family.caseCode)
  }

  /** Whether closing the tab would lose a way in. */
  get isAtRisk(): boolean {
    return !this.#areLinksSafe && this.allCards.length > 0
  }

  /** All of them were saved. */
  linksAreSafe(): void {
    this.#areLinksSafe = true
  }

  /** Lets go of every link. */
  forget(): void {
    this.#kept.clear()
  }
}

function isOurs(kept: Kept): boolean {
  return kept.fate === 'active' || kept.fate === 'not_active'
}

/** What its cards and its beginning hang on: all that the list says of a family but dates and how consent was given. */
function rows({ members, site, plan, care }: Family): string {
  const said = members.map(({ number, role, name, zone, language, device, sharedDevice }) => (
    [number, role, name, zone, language, device, sharedDevice]
  ))
  return JSON.stringify([said, site, plan, care])
}
