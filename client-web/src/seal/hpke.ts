// HPKE (RFC 9180), base mode, one shot: DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. What its key schedule
// calls extract and expand, one after the other, is WebCrypto's HKDF; an extract alone is an HMAC.

import { concat, utf8, type Bytes } from '../bytes.ts'
import { importPoint } from '../roster/point.ts'
import { WRAPPING, exportPublic, type OwnKeys } from './keys.ts'
import { hkdf, open, seal } from './primitive.ts'

/** `suite_id` of sections 4.1 and 5.1. */
const [KEM, HPKE] = ['KEM\0\x10', 'HPKE\0\x10\0\x01\0\x02']

const POINT = 65
const NOTHING = new Uint8Array(0)

/** The encapsulated key, and the sealed text behind it. Rejects what is no public key. */
export async function hpkeSeal(recipient: Bytes, info: Bytes, text: Bytes): Promise<Bytes> {
  const ephemeral = await crypto.subtle.generateKey(WRAPPING, false, ['deriveBits'])
  const enc = await exportPublic(ephemeral)
  const { key, nonce } = await schedule(await agree(ephemeral, recipient), concat(enc, recipient), info)
  return concat(enc, await seal(key, nonce, NOTHING, text))
}

/** Rejects what was not sealed to this key with this info. */
export async function hpkeOpen({ hpke, hpkePub }: OwnKeys, info: Bytes, sealed: Bytes): Promise<Bytes> {
  const enc = sealed.slice(0, POINT)
  const { key, nonce } = await schedule(await agree(hpke, enc), concat(enc, hpkePub), info)
  return open(key, nonce, NOTHING, sealed.slice(POINT))
}

async function agree({ privateKey }: CryptoKeyPair, other: Bytes): Promise<Bytes> {
  const how = { name: 'ECDH', public: await importPoint(other, 'ECDH') }
  return new Uint8Array(await crypto.subtle.deriveBits(how, privateKey, 256))
}

async function schedule(dh: Bytes, both: Bytes, info: Bytes): Promise<{ readonly key: Bytes, readonly nonce: Bytes }> {
  const shared = await hkdf(labeled(KEM, 'eae_prk', dh), NOTHING, expanding(KEM, 'shared_secret', both, 32), 32)
  const psk = await extract(labeled(HPKE, 'psk_id_hash'))
  const context = concat(Uint8Array.of(0), psk, await extract(labeled(HPKE, 'info_hash', info)))
  const expand = (label: string, length: number) =>
    hkdf(labeled(HPKE, 'secret'), shared, expanding(HPKE, label, context, length), length)
  return { key: await expand('key', 32), nonce: await expand('base_nonce', 12) }
}

function labeled(suite: string, label: string, text: Bytes = NOTHING): Bytes {
  return concat(utf8(`HPKE-v1${suite}${label}`), text)
}

function expanding(suite: string, label: string, context: Bytes, length: number): Bytes {
  return concat(Uint8Array.of(0, length), labeled(suite, label, context))
}

/** With an empty salt. */
async function extract(text: Bytes): Promise<Bytes> {
  const how = { name: 'HMAC', hash: 'SHA-256' }
  const key = await crypto.subtle.importKey('raw', new Uint8Array(32), how, false, ['sign'])
  return new Uint8Array(await crypto.subtle.sign('HMAC', key, text))
}
