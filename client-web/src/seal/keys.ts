// The two key pairs of a device or an invite: one signs links, one opens wraps. An invite's are bytes, to stand on its
// card; a device's own never leave the browser.

import { concat, fromBase64Url, toBase64Url, type Bytes } from '../bytes.ts'
import { importPoint } from '../roster/point.ts'
import { CannotOpen, opening } from './primitive.ts'

const SIGNING = { name: 'ECDSA', namedCurve: 'P-256' }
export const WRAPPING = { name: 'ECDH', namedCurve: 'P-256' }
const SIGNATURE = { name: 'ECDSA', hash: 'SHA-256' }

/** A pair of P-256: 32 bytes, and 65 uncompressed. */
export interface KeyPair {
  readonly private: Bytes
  readonly public: Bytes
}

/** What an invite holds. */
export interface KeyPairs {
  readonly sign: KeyPair
  readonly hpke: KeyPair
}

/** Keys in use. `sign` and `hpke` can be kept in IndexedDB; of a device's own nobody can read the private halves. */
export interface OwnKeys {
  readonly sign: CryptoKeyPair
  readonly hpke: CryptoKeyPair
  readonly signPub: Bytes
  readonly hpkePub: Bytes
}

/** Pairs that can be put onto a card. */
export async function generateKeyPairs(): Promise<KeyPairs> {
  return { sign: await generateKeyPair(), hpke: await generateKeyPair() }
}

export async function generateKeyPair(): Promise<KeyPair> {
  const pair = await crypto.subtle.generateKey(SIGNING, true, ['sign', 'verify'])
  const { d = '', x = '', y = '' } = await crypto.subtle.exportKey('jwk', pair.privateKey)
  return {
    private: fromBase64Url(d),
    public: concat(Uint8Array.of(4), fromBase64Url(x), fromBase64Url(y)),
  }
}

/** A device's own, which cannot be exported. */
export async function generateOwnKeys(): Promise<OwnKeys> {
  const sign = await crypto.subtle.generateKey(SIGNING, false, ['sign', 'verify'])
  const hpke = await crypto.subtle.generateKey(WRAPPING, false, ['deriveBits'])
  return { sign, hpke, signPub: await exportPublic(sign), hpkePub: await exportPublic(hpke) }
}

/** Of an invite. Throws `CannotOpen` if a private key does not match its public one. */
export async function importOwnKeys(sign: KeyPair, hpke: KeyPair): Promise<OwnKeys> {
  return opening(async () => {
    await Promise.all([sign, hpke].map(checkPair))
    return {
      sign: {
        privateKey: await importPrivate(sign, SIGNING, 'sign'),
        publicKey: await importPoint(sign.public, 'ECDSA', ['verify']),
      },
      hpke: {
        privateKey: await importPrivate(hpke, WRAPPING, 'deriveBits'),
        publicKey: await importPoint(hpke.public, 'ECDH'),
      },
      signPub: sign.public,
      hpkePub: hpke.public,
    }
  })
}

/** ECDSA with SHA-256: r and s, 64 bytes. */
export async function sign(pair: KeyPair, message: Bytes): Promise<Bytes> {
  return signWith(await importPrivate(pair, SIGNING, 'sign'), message)
}

export async function signWith(key: CryptoKey, message: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.sign(SIGNATURE, key, message))
}

// Not every browser compares the halves when it imports them.
async function checkPair(pair: KeyPair) {
  const message = pair.public
  const key = await importPoint(pair.public, 'ECDSA', ['verify'])
  const isPair = await crypto.subtle.verify(SIGNATURE, key, await sign(pair, message), message)
  if (!isPair) throw new CannotOpen('key')
}

function importPrivate(pair: KeyPair, how: EcKeyImportParams, usage: KeyUsage): Promise<CryptoKey> {
  const jwk = {
    kty: 'EC',
    crv: 'P-256',
    d: toBase64Url(pair.private),
    x: toBase64Url(pair.public.subarray(1, 33)),
    y: toBase64Url(pair.public.subarray(33)),
  }
  return crypto.subtle.importKey('jwk', jwk, how, false, [usage])
}

export async function exportPublic({ publicKey }: CryptoKeyPair): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.exportKey('raw', publicKey))
}
