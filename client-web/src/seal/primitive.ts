// D, A and randomness: all that the rest is made of (docs/sealing.md), by WebCrypto.

import { utf8, type Bytes } from '../bytes.ts'

/** Another key, another context, or changed bytes: which, nobody can tell. What could be told says a word. */
export class CannotOpen extends Error {}

const NOTHING = new Uint8Array(0)

export function random(length: number): Bytes {
  return crypto.getRandomValues(new Uint8Array(length))
}

/** D(key, label, length): HKDF-SHA256 with an empty salt and the label as info. */
export function derive(key: Bytes, label: string, length: number): Promise<Bytes> {
  return hkdf(key, NOTHING, utf8(label), length)
}

export async function hkdf(key: Bytes, salt: Bytes, info: Bytes, length: number): Promise<Bytes> {
  const imported = await crypto.subtle.importKey('raw', key, 'HKDF', false, ['deriveBits'])
  const how = { name: 'HKDF', hash: 'SHA-256', salt, info }
  return new Uint8Array(await crypto.subtle.deriveBits(how, imported, length * 8))
}

/** A(key, nonce, aad, text): AES-256-GCM, the tag behind the text. */
export async function seal(key: Bytes, nonce: Bytes, aad: Bytes, text: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.encrypt(...await aes(key, nonce, aad, 'encrypt'), text))
}

/** The text of `seal`; throws `CannotOpen` if one of the four is another. */
export function open(key: Bytes, nonce: Bytes, aad: Bytes, sealed: Bytes): Promise<Bytes> {
  return opening(async () =>
    new Uint8Array(await crypto.subtle.decrypt(...await aes(key, nonce, aad, 'decrypt'), sealed)))
}

async function aes(key: Bytes, iv: Bytes, additionalData: Bytes, use: KeyUsage): Promise<[AesGcmParams, CryptoKey]> {
  const name = 'AES-GCM'
  return [{ name, iv, additionalData }, await crypto.subtle.importKey('raw', key, name, false, [use])]
}

/** Whatever fails while something is opened and read: it cannot be opened. */
export async function opening<T>(open: () => Promise<T>): Promise<T> {
  try {
    return await open()
  } catch (error) {
    throw error instanceof CannotOpen ? error : new CannotOpen()
  }
}
