-- A check of every row, as `entry` and `scope` have had: what is altered in the file is noticed and
-- not guessed at. `sums` fills it in for the rows that are there.
ALTER TABLE fact ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
ALTER TABLE held ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
ALTER TABLE card ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
ALTER TABLE due ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
ALTER TABLE cursor ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
