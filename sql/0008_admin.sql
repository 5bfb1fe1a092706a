-- Operators: their keys, and the record of what they changed, which only grows.
CREATE TABLE admin_key (
    id         INTEGER PRIMARY KEY,
    hash       BLOB NOT NULL UNIQUE,
    prefix     TEXT NOT NULL,
    name       TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    revoked_ms INTEGER NOT NULL
) STRICT;

-- `account` 0: of none. `object` is what was changed, by its name for people or its id; `detail` is a JSON object.
CREATE TABLE change (
    number  INTEGER PRIMARY KEY,
    at_ms   INTEGER NOT NULL,
    actor   TEXT NOT NULL,
    action  TEXT NOT NULL,
    account INTEGER NOT NULL,
    object  TEXT NOT NULL,
    detail  TEXT NOT NULL
) STRICT;
CREATE INDEX change_of_account ON change (account);
