-- Callbacks: those that wait, are due, were delivered or given up, every try, the secrets that sign them, and the
-- addresses that said they want no more.
--
-- `number` is the order in which they were made, here the row's place in the table too; the key is (account, id). `lane`
-- is where it goes: scheme, host and port, by which deliveries take turns. `round` counts the times it was sent anew by
-- hand, `rung` the tries of this round, `tries` all of them.
CREATE TABLE callback (
    number      INTEGER PRIMARY KEY,
    account     INTEGER NOT NULL REFERENCES account,
    id          TEXT NOT NULL,
    task        TEXT NOT NULL,
    test        INTEGER NOT NULL CHECK (test IN (0, 1)),
    lane        TEXT NOT NULL,
    url         TEXT NOT NULL,
    base        TEXT NOT NULL,
    state       INTEGER NOT NULL CHECK (state BETWEEN 0 AND 3),
    round       INTEGER NOT NULL,
    rung        INTEGER NOT NULL,
    tries       INTEGER NOT NULL,
    due_ms      INTEGER NOT NULL,
    deadline_ms INTEGER NOT NULL,
    created_ms  INTEGER NOT NULL,
    ended_ms    INTEGER NOT NULL,
    status      INTEGER NOT NULL,
    outcome     TEXT NOT NULL,
    UNIQUE (account, id),
    CONSTRAINT w1_ended_is_stamped CHECK ((state IN (2, 3)) = (ended_ms > 0))
) STRICT;
CREATE INDEX callback_of_account ON callback (account);
CREATE INDEX callback_of_task ON callback (account, task);
CREATE INDEX callback_in_state ON callback (account, state) WHERE state IN (0, 1, 3);
CREATE INDEX callback_due ON callback (account, lane, due_ms) WHERE state = 1;
CREATE INDEX callback_deadline ON callback (account, lane, deadline_ms) WHERE state = 1;
CREATE INDEX callback_ended ON callback (ended_ms) WHERE state IN (2, 3);

CREATE TABLE callback_try (
    account     INTEGER NOT NULL,
    callback    TEXT NOT NULL,
    number      INTEGER NOT NULL,
    at_ms       INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    status      INTEGER NOT NULL,
    outcome     TEXT NOT NULL,
    excerpt     TEXT NOT NULL,
    PRIMARY KEY (account, callback, number)
) STRICT, WITHOUT ROWID;

-- They sign, so they are kept as they are. The current one never expires.
CREATE TABLE callback_secret (
    account    INTEGER NOT NULL REFERENCES account,
    number     INTEGER NOT NULL,
    secret     TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    PRIMARY KEY (account, number)
) STRICT, WITHOUT ROWID;

-- Who answered 410 Gone is left alone until then.
CREATE TABLE callback_gone (
    account  INTEGER NOT NULL,
    url      TEXT NOT NULL,
    until_ms INTEGER NOT NULL,
    PRIMARY KEY (account, url)
) STRICT, WITHOUT ROWID;
CREATE INDEX callback_gone_until ON callback_gone (until_ms);
