-- Reminders that ring, quiet hours, letters given back: from version 3 to version 4.

-- How often a reminder has rung here, and when last.
ALTER TABLE message ADD COLUMN rang    INTEGER NOT NULL DEFAULT 0;
ALTER TABLE message ADD COLUMN rang_at INTEGER;

-- What a person set on this phone.
CREATE TABLE setting (
    name   TEXT PRIMARY KEY,
    value  TEXT NOT NULL
) STRICT;

-- Schedules whose held letters the relay is asked for, and the last that came. The row goes with the last.
CREATE TABLE asked (
    schedule  BLOB PRIMARY KEY,
    after     BLOB
) STRICT;

-- Those letters as the relay gave them back last, in the order of release.
CREATE TABLE given (
    schedule  BLOB    NOT NULL,
    place     INTEGER NOT NULL,
    content   BLOB    NOT NULL,
    PRIMARY KEY (schedule, place)
) STRICT, WITHOUT ROWID;
