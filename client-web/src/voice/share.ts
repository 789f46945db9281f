// How much of a sound was heard.

/** From when to when, in s. */
export type Range = readonly [number, number]

/** The percent of a sound that was played at least once: what was jumped over does not count. */
export function shareHeard(played: readonly Range[], length: number): number {
  let [heard, upto] = [0, 0]
  for (const [from, until] of [...played].sort(([one], [other]) => one - other)) {
    heard += Math.max(0, until - Math.max(from, upto))
    upto = Math.max(upto, until)
  }
  return length > 0 ? Math.min(100, Math.round((heard / length) * 100)) : 0
}
