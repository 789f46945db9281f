-- In the order of commit, never by scope: a group of commits then shares its pages in the WAL.
-- A superseded fact keeps its row without content, so that cursors standing there still hold.
CREATE TABLE entry(
    id INTEGER PRIMARY KEY,
    scope INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    tag INTEGER NOT NULL,
    sum INTEGER NOT NULL,
    content BLOB
) STRICT;
CREATE UNIQUE INDEX entry_at ON entry(scope, seq);

-- ScopeState in CBOR.
CREATE TABLE scope(id INTEGER PRIMARY KEY, sum INTEGER NOT NULL, state BLOB NOT NULL) STRICT;

-- Where the fact of each key stands.
CREATE TABLE fact(
    scope INTEGER NOT NULL,
    key TEXT NOT NULL,
    seq INTEGER NOT NULL,
    rank INTEGER NOT NULL,
    PRIMARY KEY(scope, key)
) STRICT, WITHOUT ROWID;

-- The id is the order in which bodies were first held.
CREATE TABLE held(
    id INTEGER PRIMARY KEY,
    scope INTEGER NOT NULL,
    body_ref BLOB NOT NULL,
    schedule BLOB NOT NULL,
    content BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX held_of ON held(scope, schedule, body_ref);

-- The blobs of open invites.
CREATE TABLE card(
    scope INTEGER NOT NULL,
    invite INTEGER NOT NULL,
    blob BLOB NOT NULL,
    PRIMARY KEY(scope, invite)
) STRICT, WITHOUT ROWID;

-- DueItem in CBOR.
CREATE TABLE due(
    scope INTEGER NOT NULL,
    item BLOB NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY(scope, item)
) STRICT, WITHOUT ROWID;
CREATE INDEX due_at ON due(at);

CREATE TABLE cursor(
    scope INTEGER NOT NULL,
    device INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY(scope, device)
) STRICT, WITHOUT ROWID;
