-- The largest vocabulary of a program that wrote here: an older program that starts refuses, before it meets a record that it
-- cannot read. 0 of what was written before it was kept.
ALTER TABLE progress ADD COLUMN vocabulary BIGINT NOT NULL DEFAULT 0;
