-- What can be rebuilt from the journal: the rows (tables of the domain's own, beside these), and the request index.

-- How far this file has come, and for which tables it was made.
CREATE TABLE progress (
    one            INTEGER PRIMARY KEY CHECK (one = 1),
    signature      TEXT    NOT NULL,  -- the domain, its tables and columns, the format of rows
    watermark      INTEGER NOT NULL,  -- every change up to this record is in the rows
    requests_until INTEGER NOT NULL   -- every request key up to this record is in the index
);

-- Recent request keys, as they came: 16 bytes of key, 8 of the record's number, many in a run.
CREATE TABLE request_run (
    last_n  INTEGER PRIMARY KEY,
    entries BLOB NOT NULL
);

-- Older request keys: sorted into segments, each with a filter that answers most misses without a read.
CREATE TABLE request_segment (
    segment  INTEGER PRIMARY KEY,
    tier     INTEGER NOT NULL,
    last_n   INTEGER NOT NULL,
    last_at  INTEGER NOT NULL,
    bits     INTEGER NOT NULL,  -- a segment has 2^bits blocks; a key's first bits choose its block
    filter   BLOB               -- NULL while the segment is being merged together
);
CREATE TABLE request_block (
    block   INTEGER PRIMARY KEY,  -- segment × 2^24 + number of the block
    entries BLOB NOT NULL
);
