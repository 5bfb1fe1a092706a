-- Answers of language models that are read while they come into being: whether a task has such a stream, and the chunks of
-- one that has ended, a line each, until nobody may read them any more.
ALTER TABLE task ADD COLUMN streams INTEGER NOT NULL DEFAULT 0 CHECK (streams IN (0, 1));

CREATE TABLE stream (
    account    INTEGER NOT NULL,
    task       TEXT NOT NULL,
    expires_ms INTEGER NOT NULL,
    chunks     TEXT NOT NULL,
    PRIMARY KEY (account, task)
) STRICT;
CREATE INDEX stream_expiry ON stream (expires_ms);
