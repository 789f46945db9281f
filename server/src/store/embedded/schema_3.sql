-- Of an occurrence the civil time it was planned for: where the zone's rules change, its instant is
-- reckoned anew from that. NULL with all else that is due.
ALTER TABLE due ADD COLUMN planned TEXT;
