import type { Bytes } from '../bytes.ts'

const UNCOMPRESSED = 4

/** Imports a public key; rejects what is not an uncompressed point of P-256. */
export async function importPoint(key: Bytes, name: 'ECDSA' | 'ECDH', usages: KeyUsage[] = []): Promise<CryptoKey> {
  if (key[0] !== UNCOMPRESSED) throw new RangeError('key')
  return crypto.subtle.importKey('raw', key, { name, namedCurve: 'P-256' }, true, usages)
}
