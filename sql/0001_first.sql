-- Accounts, keys, tasks, attempts, events, ledger, artifacts.
--
-- Every hot table is reached by a key that begins with the account (S2), so that it can be sharded by account. Numbers
-- that stand for names (book, state, kind, ...) are those of the enums in src/store/rows.h and src/core.
-- Times are wall milliseconds, money is microcredits; 0 and '' mean "none".

CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE account (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    "group"    TEXT NOT NULL,
    created_ms INTEGER NOT NULL
) STRICT;

-- L1: the sums of the account's entries in the book, moved in the same transaction as they are added.
CREATE TABLE balance (
    account      INTEGER NOT NULL REFERENCES account,
    book         INTEGER NOT NULL CHECK (book IN (0, 1)),
    microcredits INTEGER NOT NULL CHECK (book = 1 OR microcredits >= 0),
    charged      INTEGER NOT NULL, -- what settlements have kept
    PRIMARY KEY (account, book)
) STRICT, WITHOUT ROWID;

CREATE TABLE api_key (
    id         INTEGER PRIMARY KEY,
    account    INTEGER NOT NULL REFERENCES account,
    book       INTEGER NOT NULL CHECK (book IN (0, 1)),
    hash       BLOB NOT NULL UNIQUE,
    prefix     TEXT NOT NULL,
    name       TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    revoked_ms INTEGER NOT NULL
) STRICT;

-- `number` is the order of acceptance, here the row's place in the table too; the key is (account, id).
CREATE TABLE task (
    number        INTEGER PRIMARY KEY,
    account       INTEGER NOT NULL REFERENCES account,
    id            TEXT NOT NULL,
    api_key       INTEGER NOT NULL,
    book          INTEGER NOT NULL CHECK (book IN (0, 1)),
    type          INTEGER NOT NULL CHECK (type BETWEEN 0 AND 4),
    state         INTEGER NOT NULL CHECK (state BETWEEN 0 AND 3),
    progress      INTEGER NOT NULL CHECK (progress BETWEEN 0 AND 100),
    billing       INTEGER NOT NULL CHECK (billing BETWEEN 0 AND 3),
    created_ms    INTEGER NOT NULL,
    started_ms    INTEGER NOT NULL,
    finished_ms   INTEGER NOT NULL,
    reserved      INTEGER NOT NULL,
    charged       INTEGER NOT NULL,
    refunded      INTEGER NOT NULL,
    model         TEXT NOT NULL,
    "group"       TEXT NOT NULL,
    error         TEXT NOT NULL,
    error_message TEXT NOT NULL,
    results       TEXT NOT NULL,
    UNIQUE (account, id),
    CONSTRAINT t1_final_is_stamped CHECK ((state IN (2, 3)) = (finished_ms > 0)),
    CONSTRAINT l3_final_holds_nothing CHECK (state IN (0, 1) OR charged + refunded = reserved)
) STRICT;
-- An account's tasks in the order of acceptance: an index entry ends with the row's number.
CREATE INDEX task_of_account ON task (account);
CREATE INDEX task_open ON task (created_ms) WHERE state IN (0, 1);
CREATE INDEX task_duration ON task (model, finished_ms) WHERE state = 2 AND book = 0;

-- Apart from the task, whose row is rewritten at every move; there as long as the task is open.
CREATE TABLE task_input (
    account INTEGER NOT NULL,
    task    TEXT NOT NULL,
    input   TEXT NOT NULL,
    PRIMARY KEY (account, task)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempt (
    account    INTEGER NOT NULL,
    task       TEXT NOT NULL,
    number     INTEGER NOT NULL,
    state      INTEGER NOT NULL CHECK (state BETWEEN 0 AND 3),
    started_ms INTEGER NOT NULL,
    ended_ms   INTEGER NOT NULL,
    provider   TEXT NOT NULL,
    remote     TEXT NOT NULL,
    detail     TEXT NOT NULL,
    PRIMARY KEY (account, task, number),
    FOREIGN KEY (account, task) REFERENCES task (account, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
    account  INTEGER NOT NULL,
    task     TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    at_ms    INTEGER NOT NULL,
    kind     TEXT NOT NULL,
    data     TEXT NOT NULL,
    PRIMARY KEY (account, task, sequence),
    FOREIGN KEY (account, task) REFERENCES task (account, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE ledger (
    account      INTEGER NOT NULL,
    sequence     INTEGER NOT NULL,
    book         INTEGER NOT NULL CHECK (book IN (0, 1)),
    kind         INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 3),
    microcredits INTEGER NOT NULL,
    charged      INTEGER NOT NULL,
    task         TEXT NOT NULL,
    at_ms        INTEGER NOT NULL,
    note         TEXT NOT NULL,
    PRIMARY KEY (account, sequence)
) STRICT, WITHOUT ROWID;
-- L3: a task has at most one reservation and one settlement.
CREATE UNIQUE INDEX ledger_of_task ON ledger (account, task, kind) WHERE kind IN (1, 2);

CREATE TABLE artifact (
    account    INTEGER NOT NULL,
    task       TEXT NOT NULL,
    role       INTEGER NOT NULL CHECK (role IN (0, 1)),
    position   INTEGER NOT NULL,
    hash       TEXT NOT NULL,
    size       INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    media_type TEXT NOT NULL,
    name       TEXT NOT NULL,
    PRIMARY KEY (account, task, role, position),
    FOREIGN KEY (account, task) REFERENCES task (account, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX artifact_hash ON artifact (hash);
CREATE INDEX artifact_expiry ON artifact (expires_ms) WHERE expires_ms > 0;
