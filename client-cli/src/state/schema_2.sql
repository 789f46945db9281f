-- Removal and recovery: from version 1 to version 2.

-- The newest link's wraps as received: with them links that a relay lost are handed in again.
CREATE TABLE wraps (
    number  INTEGER PRIMARY KEY,
    wraps   BLOB    NOT NULL
) STRICT;

-- Bodies that the relay holds for a schedule, and the key that it has each under; 0: not known.
CREATE TABLE held (
    ref    BLOB    PRIMARY KEY,
    epoch  INTEGER NOT NULL
) STRICT;
-- Whatever is no held body falls out when it is looked at.
INSERT INTO held SELECT ref, 0 FROM outbox
    WHERE about IS NOT NULL AND ref <> about AND posted IS NOT NULL;

-- Another chain than ours that the relay shows, from the first link that differs.
CREATE TABLE fork (
    number  INTEGER PRIMARY KEY,
    link    BLOB    NOT NULL,
    at      INTEGER NOT NULL
) STRICT;

-- What was said once already: 'link' up to which change of the roster.
CREATE TABLE told (
    what  TEXT    PRIMARY KEY,
    upto  INTEGER NOT NULL
) STRICT;
INSERT INTO told SELECT 'link', max(number) FROM link HAVING max(number) IS NOT NULL;

-- Requests of new phones that were said once, and those that somebody here refused.
CREATE TABLE request_seen (
    code_hash  BLOB    PRIMARY KEY,
    refused    INTEGER NOT NULL
) STRICT;

-- This phone's own request to be let in, one row: on disk before it is sent.
CREATE TABLE request (
    request     INTEGER PRIMARY KEY,
    origin      TEXT    NOT NULL,
    scope       INTEGER NOT NULL,             -- u64, its bits
    link_code   BLOB    NOT NULL,             -- of the link that staff gave
    keys        BLOB    NOT NULL,
    code        BLOB    NOT NULL,             -- its own, by which it will join
    first_link  BLOB,                         -- h(link 1), as answered
    members     TEXT,                         -- numbers with commas, as answered
    expires_at  INTEGER                       -- as answered
) STRICT;

-- Why the relay does not let this phone in any more (removed, new_chain), and since when.
ALTER TABLE lane ADD COLUMN ended    TEXT;
ALTER TABLE lane ADD COLUMN ended_at INTEGER;
-- The first key that a command was sealed under and sent, where the relay may have it.
ALTER TABLE outbox ADD COLUMN epoch  INTEGER;
