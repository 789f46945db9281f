// Keys and seals, by WebCrypto alone (docs/sealing.md): D, A, key pairs as raw bytes, the secret of an invite.
// Checked against proto/vectors.

import { concat, toBase64Url, fromBase64Url, u64, utf8, type Bytes } from './bytes.ts'

/** A pair of P-256: 32 bytes, and 65 uncompressed. */
export interface KeyPair {
  readonly private: Bytes
  readonly public: Bytes
}

/** What a device or an invite holds: one signs links, the other opens wraps. */
export interface KeyPairs {
  readonly sign: KeyPair
  readonly hpke: KeyPair
}

export function random(length: number): Bytes {
  return crypto.getRandomValues(new Uint8Array(length))
}

export async function sha256(bytes: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
}

/** D(key, label, length): HKDF-SHA256 with an empty salt and the label as info. */
export async function derive(key: Bytes, label: string, length: number): Promise<Bytes> {
  const imported = await crypto.subtle.importKey('raw', key, 'HKDF', false, ['deriveBits'])
  const how = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(0), info: utf8(label) }
  return new Uint8Array(await crypto.subtle.deriveBits(how, imported, length * 8))
}

/** A(key, nonce, aad, text): AES-256-GCM, the tag behind the text. */
export async function seal(key: Bytes, nonce: Bytes, aad: Bytes, text: Bytes): Promise<Bytes> {
  const imported = await crypto.subtle.importKey('raw', key, 'AES-GCM', false, ['encrypt'])
  const how = { name: 'AES-GCM', iv: nonce, additionalData: aad }
  return new Uint8Array(await crypto.subtle.encrypt(how, imported, text))
}

export async function generateKeyPair(): Promise<KeyPair> {
  const pair = await crypto.subtle.generateKey(SIGNING, true, ['sign', 'verify'])
  const { d = '', x = '', y = '' } = await crypto.subtle.exportKey('jwk', pair.privateKey)
  return {
    private: fromBase64Url(d),
    public: concat(Uint8Array.of(4), fromBase64Url(x), fromBase64Url(y)),
  }
}

export async function generateKeyPairs(): Promise<KeyPairs> {
  return { sign: await generateKeyPair(), hpke: await generateKeyPair() }
}

/** ECDSA with SHA-256: r and s, 64 bytes. */
export async function sign(pair: KeyPair, message: Bytes): Promise<Bytes> {
  const jwk = {
    kty: 'EC',
    crv: 'P-256',
    d: toBase64Url(pair.private),
    x: toBase64Url(pair.public.subarray(1, 33)),
    y: toBase64Url(pair.public.subarray(33)),
  }
  const key = await crypto.subtle.importKey('jwk', jwk, SIGNING, false, ['sign'])
  return new Uint8Array(await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, key, message))
}

const SIGNING = { name: 'ECDSA', namedCurve: 'P-256' }

/** S: who holds it can join. Never sent, never shown but in its link. */
export class InviteSecret {
  readonly #bytes: Bytes

  constructor(bytes: Bytes = random(16)) {
    this.#bytes = bytes
  }

  /** What is sent to ask for the invite; the relay keeps its SHA-256. */
  code(): Promise<Bytes> {
    return derive(this.#bytes, 'jiashu/1 code', 16)
  }

  /** The blob to leave at the relay. Two texts never meet one nonce: it is given in tests alone. */
  async seal(text: Bytes, nonce: Bytes = random(12)): Promise<Bytes> {
    const key = await derive(this.#bytes, 'jiashu/1 invite', 32)
    const sealed = await seal(key, nonce, await this.code(), text)
    return concat(Uint8Array.of(BLOB_VERSION), nonce, sealed)
  }

  /** The link to join by. Whoever sees it can. `origin` is scheme, host and perhaps port. */
  link(origin: string, scope: bigint): string {
    if (!/^https?:\/\/[A-Za-z0-9.-]+(:\d{1,5})?$/.test(origin)) throw new Error(`${origin} cannot stand in a link`)
    return `${origin}/join#${toBase64Url(concat(u64(scope), this.#bytes))}`
  }
}

const BLOB_VERSION = 1
