// The page for phones.

import { byId } from './dom.ts'
import { startPhone } from './line/start.ts'
import { keepOffline } from './offline.ts'
import { mount, sayWhyNot } from './screens/mount.tsx'
import { StoreFull } from './state/store.ts'
import { BrowserPlayer } from './voice/player.ts'

const [root, link] = [byId('page'), takeLink()]
// Elsewhere a browser has no keys, and no place for them.
if (isSecureContext) await begin()
else await sayWhyNot(root, 'needsHttps')

async function begin(): Promise<void> {
  try {
    const phone = await startPhone()
    mount(root, phone, phone, new BrowserPlayer(), link)
    keepOffline()
  } catch (error) {
    reportError(error)
    await sayWhyNot(root, error instanceof StoreFull ? 'full' : 'cannotKeep')
  }
}

/** Of an invite: its secret stands behind the #, and leaves the address and the history before anything is shown. */
function takeLink(): string | null {
  const { href, pathname, hash } = location
  if (pathname !== '/join' || hash === '') return null
  history.replaceState(null, '', '/')
  return href
}
