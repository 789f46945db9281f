-- Schedules, letter banks and reminders: from version 2 to version 3.

-- Of a reminder how it rings until it is done: every so many ms, so many times.
ALTER TABLE message ADD COLUMN ring_every INTEGER;
ALTER TABLE message ADD COLUMN ring_times INTEGER;

-- Of one that a schedule fired its id and the nonce of the held body: a letter bank shows a body once.
ALTER TABLE message ADD COLUMN schedule BLOB;
ALTER TABLE message ADD COLUMN body     BLOB;
CREATE INDEX message_fired ON message (schedule, body) WHERE schedule IS NOT NULL;
