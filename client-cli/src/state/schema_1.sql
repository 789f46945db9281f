-- All that one device knows and must not forget. Every time is in ms UTC.

-- The device: one row, lane 0, while a home holds one device of one family.
CREATE TABLE lane (
    lane        INTEGER PRIMARY KEY,
    origin      TEXT    NOT NULL,
    scope       INTEGER NOT NULL,             -- u64, its bits
    code        BLOB    NOT NULL,             -- of the invite: tells a repeated join from another
    secret      BLOB    NOT NULL,             -- of the token
    keys        BLOB    NOT NULL,
    device      INTEGER,                      -- absent until the relay has let it in
    join_frame  BLOB,                         -- as sent, until then
    join_hash   BLOB    NOT NULL,             -- h(link) of that join: no other lets this device in
    generation  INTEGER,                      -- of the cursor; absent before the first entry
    seq         INTEGER NOT NULL DEFAULT 0,
    tag         INTEGER NOT NULL DEFAULT 0,
    log_epoch   INTEGER NOT NULL DEFAULT 0,   -- the last link met on the way to the cursor
    last_n      INTEGER NOT NULL DEFAULT 0,
    cursors_at  INTEGER,
    broken      TEXT,                         -- why nothing is sealed
    waits       TEXT,                         -- why the relay keeps the outbox waiting
    retry_at    INTEGER,                      -- not to be asked to send before
    synced_at   INTEGER,
    listener    INTEGER NOT NULL DEFAULT 0    -- 0 none, 1 without a connection, 2 connected, 3 as 1 and asked to try
) STRICT;

CREATE TABLE link (
    number  INTEGER PRIMARY KEY,
    link    BLOB    NOT NULL,
    at      INTEGER NOT NULL
) STRICT;

CREATE TABLE family_key (
    epoch  INTEGER PRIMARY KEY,
    key    BLOB    NOT NULL
) STRICT;

-- Names from the card, until the fact of the same member comes.
CREATE TABLE name (
    member  INTEGER PRIMARY KEY,
    name    TEXT    NOT NULL
) STRICT;

-- Sealed entries, those not yet opened too. A name is one with a key.
CREATE TABLE message (
    ref         BLOB    PRIMARY KEY,
    generation  INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    content     BLOB    NOT NULL,             -- as received
    key         TEXT,
    device      INTEGER NOT NULL,
    author      INTEGER NOT NULL,
    text        TEXT,                         -- once opened
    written_at  INTEGER,
    refused     TEXT,                         -- why it is not shown as a letter
    shown       INTEGER NOT NULL DEFAULT 0    -- 0 not yet, 1 being printed, 2 shown
) STRICT;
CREATE INDEX message_by_place ON message (generation, seq);
CREATE INDEX message_sealed ON message (seq) WHERE text IS NULL AND refused IS NULL;
CREATE INDEX message_new ON message (seq) WHERE shown < 2;

-- Clear facts as received, and what a newer version wrote.
CREATE TABLE fact (
    key      TEXT    PRIMARY KEY,
    seq      INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    content  BLOB    NOT NULL
) STRICT;

-- The best rung that a message has reached with a member.
CREATE TABLE receipt (
    ref     BLOB    NOT NULL,
    member  INTEGER NOT NULL,
    rung    INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (ref, member)
) STRICT, WITHOUT ROWID;

-- How far other devices have read, and up to where that was turned into receipts.
CREATE TABLE reached (
    device   INTEGER PRIMARY KEY,
    seq      INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    derived  INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Commands in the order they were given. The frame stands as it will be sent, but for n, epoch
-- and the seal: in the place of the sealed body it holds the text, which never changes.
CREATE TABLE outbox (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    ref      BLOB    NOT NULL UNIQUE,
    first    INTEGER NOT NULL,                -- 0 if it goes before all else
    frame    BLOB    NOT NULL,
    about    BLOB,                            -- the schedule or message it speaks of
    at       INTEGER NOT NULL,
    n        INTEGER,                         -- stored before it is sent
    seq      INTEGER,                         -- once posted
    posted   INTEGER,                         -- when, by the relay's clock
    refused  TEXT                             -- the word of the code, if for good
) STRICT;
CREATE INDEX outbox_waiting ON outbox (id) WHERE posted IS NULL AND refused IS NULL;

-- Cards made here: the secret is on disk before the link is sent.
CREATE TABLE card (
    ref     BLOB    PRIMARY KEY,              -- of the command
    invite  INTEGER NOT NULL,
    hash    BLOB    NOT NULL,                 -- h(link): whether it was this card that was let in
    secret  BLOB    NOT NULL
) STRICT;
