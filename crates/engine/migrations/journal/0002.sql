-- The largest vocabulary of a program that wrote this journal: an older program refuses it, before it meets a record that it
-- cannot read. 0 of what was written before it was kept.
ALTER TABLE lane ADD COLUMN vocabulary INTEGER NOT NULL DEFAULT 0;
