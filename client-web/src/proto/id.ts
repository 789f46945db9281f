// Who and what is meant (docs/PROTOCOL.md, 3).

/** 24 hexadecimal digits in small letters: of a message, a command, a schedule, a stored file. */
export type Ref = string
/** ms since 1970, UTC; or a length in ms where said. */
export type Millis = number
/** A family's number, 64 bits. */
export type Scope = bigint
export type MemberId = number
export type DeviceId = number
export type InviteId = number
/** Number of the roster link whose key is in force; 0 before the first. */
export type Epoch = number

/** How far a device has read, that place included. */
export interface Cursor { readonly generation: number, readonly seq: number, readonly tag: number }
