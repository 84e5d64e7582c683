-- The journal: one row a command, in the order in which they were decided. It is the truth; it is never rewritten.
CREATE TABLE journal (
    n      INTEGER PRIMARY KEY,  -- the record's number, from 1 without gaps
    at     INTEGER NOT NULL,     -- when it was decided: milliseconds since 1970-01-01T00:00:00Z
    hash   BLOB    NOT NULL,     -- the chain: covers the record before and every stored byte of this one
    record BLOB    NOT NULL      -- a format byte, then the record
);

-- The lane's head. A commit moves it only from where the batch was decided.
CREATE TABLE lane (
    lane   INTEGER PRIMARY KEY,
    domain TEXT    NOT NULL,
    epoch  INTEGER NOT NULL,
    n      INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    hash   BLOB    NOT NULL
);
