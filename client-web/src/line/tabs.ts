// One tab is at work: whoever holds the lock. A tab that opens asks the other to hand over, and takes it after a while:
// a frozen one does not hear. What such a one writes later the store refuses.

const NAME = 'jiashu'

/** So long the other may take to finish what it writes. */
const HAND_OVER_MS = 2_000

export class Tabs {
  readonly #channel = new BroadcastChannel(NAME)
  #release: (() => void) | null = null

  /** `onLost`: another asks, or has taken it. What is being written is finished before `leave`. */
  constructor(onLost: () => Promise<void>) {
    this.#channel.onmessage = () => {
      if (this.#release !== null) void onLost().finally(() => this.leave())
    }
    this.#onLost = onLost
  }

  readonly #onLost: () => Promise<void>

  /** Settles once this tab is the one. */
  async take(): Promise<void> {
    if (this.#release !== null) return
    this.#channel.postMessage('hand over')
    try {
      await this.#hold({ signal: AbortSignal.timeout(HAND_OVER_MS) })
    } catch {
      await this.#hold({ steal: true })
    }
  }

  leave(): void {
    this.#release?.()
    this.#release = null
  }

  /** Settles once the lock is held; it is until `leave`, or until another steals it. */
  #hold(options: LockOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      const held = navigator.locks.request(NAME, options, () => {
        resolve()
        return new Promise<void>(release => (this.#release = release))
      })
      held.catch((error: unknown) => {
        reject(error as Error)
        if (this.#release === null) return
        this.#release = null
        void this.#onLost()
      })
    })
  }
}
