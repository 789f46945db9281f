//! How large and how many: what either end refuses, whatever the other sends.

/// A WebSocket message or one frame of a `POST /1` to the relay, in bytes.
pub const MAX_FRAME: usize = 64 * 1024;

/// One `POST /1`, in bytes: an outbox of 16 commands with room to spare.
pub const MAX_ROUND: usize = 512 * 1024;

/// An answer of the relay, in bytes: a long roster in one `Invited`, or one page of entries.
pub const MAX_ANSWER: usize = 4 * 1024 * 1024;

/// The sealed body of one message, in bytes.
pub const MAX_SEALED: usize = 16 * 1024;

/// Commands that a client leaves unanswered on a lane, and answers that the relay remembers.
pub const MAX_UNANSWERED: usize = 16;

/// Members of a family.
pub const MAX_MEMBERS: usize = 32;

/// Live devices of a family.
pub const MAX_DEVICES: usize = 32;

/// Open invites of a family.
pub const MAX_INVITES: usize = 12;

/// Lanes of one connection.
pub const MAX_LANES: usize = 64;

/// A fact's key, in bytes.
pub const MAX_KEY: usize = 64;

/// A roster link, in bytes.
pub const MAX_LINK: usize = 16 * 1024;

/// The wraps of a link, in bytes: 32 devices and 12 invites at 119 bytes, and the array's head.
pub const MAX_WRAPS: usize = 8 * 1024;

/// The sealed blob of an invite, in bytes.
pub const MAX_CARD: usize = 4 * 1024;

/// A case code, in bytes.
pub const MAX_CASE_CODE: usize = 64;

/// What the audit log notes of a case, site or member of staff, and as much of what else is to be known, in bytes.
pub const MAX_NOTED: usize = 128;

/// Schedules of a family that run.
pub const MAX_SCHEDULES: usize = 256;

/// Rules of a contact plan.
pub const MAX_INTENDED: usize = 8;

/// Plans of a day of which something had come about before they were written anew.
pub const MAX_REPLANNED: usize = 4;

/// How late may still be kept, in minutes: a week.
pub const MAX_TOLERANCE_MIN: u32 = 7 * 24 * 60;

/// Pauses of a family.
pub const MAX_PAUSES: u32 = 512;

/// The code of a site, in bytes.
pub const MAX_SITE_CODE: usize = 32;

/// An address for e-mail, in bytes (RFC 5321, 4.5.3.1.3: a path of 256 with its brackets).
pub const MAX_EMAIL: usize = 254;

/// Dates that a rule has besides, and as many that it leaves out.
pub const MAX_RULE_DATES: usize = 64;

/// Occurrences in one preview.
pub const MAX_PREVIEW: usize = 64;

/// Clocks of one preview.
pub const MAX_PREVIEW_ZONES: usize = 4;

/// Held bodies given back at once, in bytes; at least one is, however large.
pub const MAX_GIVEN_BACK: usize = 64 * 1024;

/// Held bodies of a family.
pub const MAX_HELD: usize = 512;

/// Entries in one frame.
pub const MAX_ENTRIES: usize = 64;

/// Items of any list in a frame or an entry: more than any rule lets through, so that a rule may say
/// what is wrong; beyond it the frame is malformed, and nothing is kept of it.
pub const MAX_LIST: usize = 512;

/// Links of a roster in one answer, which come as long as the family lives: as many as fit, at 128
/// bytes, which no link is shorter than.
pub const MAX_LINKS: usize = MAX_ANSWER / 128;

/// A voice note before it is sealed, in bytes: what a client fetches and decodes at most.
pub const MAX_VOICE: u64 = 1024 * 1024;

/// How long a voice note plays at most, in ms.
pub const MAX_VOICE_MS: u64 = 10 * 60 * 1000;

/// The name of a voice note's media type, in bytes.
pub const MAX_MEDIA_TYPE: usize = 48;
