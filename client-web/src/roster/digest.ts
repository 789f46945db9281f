import type { Bytes } from '../bytes.ts'

/** H of docs/sealing.md. */
export async function sha256(bytes: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
}
