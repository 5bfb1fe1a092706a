-- Files that clients have uploaded. `sequence` is the order in which an account's files came, never used again.
CREATE TABLE file (
    account    INTEGER NOT NULL REFERENCES account,
    id         TEXT NOT NULL,
    sequence   INTEGER NOT NULL,
    hash       TEXT NOT NULL,
    size       INTEGER NOT NULL CHECK (size > 0),
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    media_type TEXT NOT NULL,
    name       TEXT NOT NULL,
    PRIMARY KEY (account, id),
    UNIQUE (account, sequence)
) STRICT, WITHOUT ROWID;
CREATE INDEX file_hash ON file (hash);
CREATE INDEX file_expiry ON file (expires_ms);
CREATE INDEX file_expiry_of_account ON file (account, expires_ms);

-- What an account's files take, moved in the same transaction as they come and go; and the last sequence given.
CREATE TABLE file_space (
    account INTEGER NOT NULL PRIMARY KEY REFERENCES account,
    bytes   INTEGER NOT NULL CHECK (bytes >= 0),
    files   INTEGER NOT NULL CHECK (files >= 0),
    last    INTEGER NOT NULL
) STRICT;
