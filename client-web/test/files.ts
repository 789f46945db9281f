// Where the Rust test that runs these says that things are.

import { webcrypto } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

// Node.js 18 has it, but not where browsers do.
globalThis.crypto ??= webcrypto as Crypto

function folder(variable: string): string {
  const folder = process.env[variable]
  if (folder === undefined) throw new Error(`${variable} is not set: run cargo test`)
  return folder
}

export function vectors(name: string): any {
  return JSON.parse(readFileSync(join(folder('JIASHU_VECTORS'), name), 'utf8'))
}

export function fixture(name: string): Uint8Array {
  return readFileSync(join(folder('JIASHU_FIXTURES'), name))
}

/** Names of the zones, as the relay gives them to the page. */
export function zoneNames(): string[] {
  return JSON.parse(readFileSync(folder('JIASHU_ZONES'), 'utf8'))
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

export function fromHex(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(hex.match(/../g) ?? [], byte => parseInt(byte, 16))
}
