-- A keyed hash of a constant under the master key: a vault that has it is opened under no other key, and none is made.
CREATE TABLE master_key (
    one   INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    proof BLOB    NOT NULL
);
