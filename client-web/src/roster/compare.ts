import { concat, utf8, type Bytes } from '../bytes.ts'
import { sha256 } from './digest.ts'

/**
 * Six groups of five digits, zeros kept, that both screens show for a re-issued card. They bind the family, by h of its
 * link 1, and both keys of the request.
 */
export async function compareGroups(firstLink: Bytes, signPub: Bytes, hpkePub: Bytes): Promise<string[]> {
  const hash = await sha256(concat(utf8('jiashu/1 compare'), firstLink, signPub, hpkePub))
  return Array.from({ length: 6 }, (_, at) => {
    const number = hash.subarray(5 * at, 5 * at + 5).reduce((number, byte) => number * 0x100 + byte, 0)
    return String(number % 100_000).padStart(5, '0')
  })
}
