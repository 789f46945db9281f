-- Voice notes: from version 4 to version 5.

-- Of a voice note: its text as it was sealed, which says where it is and how it opens.
ALTER TABLE message ADD COLUMN voice BLOB;

-- Of a played one: the share, in percent.
ALTER TABLE receipt ADD COLUMN share INTEGER;

-- The stored bytes that a command names: it waits until the relay has them.
ALTER TABLE outbox ADD COLUMN blob BLOB;

-- Sealed files of this phone's own, in the folder `voice`, on their way to the relay.
CREATE TABLE upload (
    blob    BLOB    PRIMARY KEY,
    hash    BLOB    NOT NULL,                 -- SHA-256 of the file
    length  INTEGER NOT NULL,                 -- of the file
    begun   INTEGER NOT NULL DEFAULT 0,       -- 1 once the relay was told of it
    done    INTEGER                           -- when the relay had all of it
) STRICT;
