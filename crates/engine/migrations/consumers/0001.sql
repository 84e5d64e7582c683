-- How far each consumer is. May be deleted: every record is then handled again.
CREATE TABLE IF NOT EXISTS cursor (
    name TEXT    PRIMARY KEY,
    n    INTEGER NOT NULL  -- the last record that was handled
);
