// Gives a link to another app of the phone, or to the clipboard.

/** What became of it; a person who changes their mind has not shared. */
export async function share(link: string): Promise<'shared' | 'copied' | 'not'> {
  try {
    if (navigator.share !== undefined) {
      await navigator.share({ url: link })
      return 'shared'
    }
    await navigator.clipboard.writeText(link)
    return 'copied'
  } catch {
    return 'not'
  }
}
