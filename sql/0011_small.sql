-- The bytes of a small file of a result, written in the transaction that completes its task: a file of its own would cost
-- a sync of its own. artifact.small is the row that has them; 0: they are a blob.
CREATE TABLE small (
    id    INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT;
ALTER TABLE artifact ADD COLUMN small INTEGER NOT NULL DEFAULT 0;
