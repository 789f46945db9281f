// Has the page kept on the phone (`sw.ts`), so that it opens without a line.

/** Begins once the page is there: on a slow line nothing else is in its way. */
export function keepOffline(): void {
  // There is none where the address is neither https nor this machine's, nor in some private windows.
  const workers: ServiceWorkerContainer | undefined = navigator.serviceWorker
  if (workers === undefined) return
  // With its headers' leave a browser asks for a newer one once a day, and not each time that the page opens.
  const begin = () => void workers.register('/sw.js', { updateViaCache: 'all' }).catch(() => undefined)
  if (document.readyState === 'complete') begin()
  else addEventListener('load', begin)
}
