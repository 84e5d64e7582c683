-- The key of each person's data, wrapped with the master key. Erasing a person empties the key; the row stays, so that no
-- new key is ever made for that person.
CREATE TABLE person (
    id  BLOB NOT NULL PRIMARY KEY,
    key BLOB                       -- NULL once erased
) WITHOUT ROWID;
