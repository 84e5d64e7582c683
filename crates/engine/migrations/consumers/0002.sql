-- What consumers have made for others to take: one page for many records, in the consumer's own form.
CREATE TABLE IF NOT EXISTS outbox (
    id    INTEGER PRIMARY KEY,
    name  TEXT    NOT NULL,  -- the consumer
    until INTEGER NOT NULL,  -- the last record that the page covers
    page  BLOB    NOT NULL,
    UNIQUE (name, until)
);
