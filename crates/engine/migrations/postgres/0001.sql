-- The journal, its lanes and the request keys. The domain's own tables are made beside these, one for each of its nouns.
-- Every table is reached by its key alone, and the column that it would be distributed by stands first in that key.

-- How this schema was made.
CREATE TABLE progress (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    domain    TEXT    NOT NULL,
    signature TEXT    NOT NULL  -- the domain's tables and columns, the format of rows
);

-- One row a lane: where it stands, and who may write it. A commit moves it only from where the batch was decided.
CREATE TABLE lane (
    lane  SMALLINT NOT NULL PRIMARY KEY,
    epoch BIGINT   NOT NULL,  -- grows each time an engine takes the lane
    n     BIGINT   NOT NULL,
    at    BIGINT   NOT NULL,  -- milliseconds since 1970-01-01T00:00:00Z
    hash  BYTEA    NOT NULL
);

-- The journal: one row a command, in the order of its lane. It is the truth; it is never rewritten.
CREATE TABLE journal (
    lane   SMALLINT NOT NULL,
    n      BIGINT   NOT NULL,  -- the record's number in its lane, from 1 without gaps
    epoch  BIGINT   NOT NULL,  -- the lane's epoch when it was written
    at     BIGINT   NOT NULL,
    hash   BYTEA    NOT NULL,  -- the chain: covers the record before and every stored byte of this one
    record BYTEA    NOT NULL,  -- a format byte, then the record
    PRIMARY KEY (lane, n)
);

-- The request keys, each with the record that it is known from: the same key never makes two.
CREATE TABLE request (
    key  BYTEA    NOT NULL PRIMARY KEY,
    lane SMALLINT NOT NULL,
    n    BIGINT   NOT NULL
);
