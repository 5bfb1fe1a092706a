-- What a client asked for beside the task itself: seconds for which the files of its result are kept (0: as long as the
-- operator's setting says), and whether somebody is called back at its end.
ALTER TABLE task ADD COLUMN result_ttl_s INTEGER NOT NULL DEFAULT 0;
ALTER TABLE task ADD COLUMN calls_back INTEGER NOT NULL DEFAULT 0 CHECK (calls_back IN (0, 1));

-- Idempotency keys: what was asked for with one, by its fingerprint, and the task that came of it, so that the same again
-- is answered by that task. `estimated_s` is what the first answer said beside the task itself.
CREATE TABLE idempotency (
    account     INTEGER NOT NULL,
    book        INTEGER NOT NULL CHECK (book IN (0, 1)),
    name        TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    task        TEXT NOT NULL,
    estimated_s INTEGER NOT NULL,
    expires_ms  INTEGER NOT NULL,
    PRIMARY KEY (account, book, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_expiry ON idempotency (expires_ms);
