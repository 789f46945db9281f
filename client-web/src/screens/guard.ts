// A finger that taps twice has pressed once.

/** What a press begins: a promise where it takes a while. */
export type Press = () => unknown

/** A second tap that was none of its own comes so soon, also where what the first began was done at once, in ms. */
const REST_MS = 400

/** Of one control: while what a press began is under way, and a little longer, another is none. `change` is told. */
export function guard(change: (isBusy: boolean) => void, restMs = REST_MS): (press: Press) => void {
  let isBusy = false
  return press => {
    if (isBusy) return
    const given = press()
    if (!(given instanceof Promise)) return
    const set = (next: boolean) => change(isBusy = next)
    const rest = () => setTimeout(set, restMs, false)
    set(true)
    given.then(rest, error => (rest(), reportError(error)))
  }
}
