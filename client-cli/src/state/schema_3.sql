-- Schedules, letter banks and reminders: from version 2 to version 3.

-- Of a reminder how it rings until it is done: every so many ms, so many times.
ALTER TABLE message ADD COLUMN ring_every INTEGER;
ALTER TABLE message ADD COLUMN ring_times INTEGER;
