-- Operators: their keys, the record of what they changed, which only grows, and what they have paused.
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

-- Since when the account's keys are refused; 0: they are not.
ALTER TABLE account ADD COLUMN suspended_ms INTEGER NOT NULL DEFAULT 0;

-- Providers (kind 0) and models (kind 1) that get no new work until somebody says so.
CREATE TABLE pause (
    kind   INTEGER NOT NULL CHECK (kind IN (0, 1)),
    name   TEXT NOT NULL,
    at_ms  INTEGER NOT NULL,
    actor  TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;
