-- What a key of its own may ask and spend, what keys have spent, and what was used of what on which day.
--
-- Budgets are microcredits, in all and a UTC day; 0 means "none of its own". Days are counted from 1970-01-01, in UTC; a
-- task and all that it costs belong to the day of its acceptance.
ALTER TABLE api_key ADD COLUMN requests_per_minute INTEGER NOT NULL DEFAULT 0;
ALTER TABLE api_key ADD COLUMN concurrency INTEGER NOT NULL DEFAULT 0;
ALTER TABLE api_key ADD COLUMN budget_total INTEGER NOT NULL DEFAULT 0;
ALTER TABLE api_key ADD COLUMN budget_day INTEGER NOT NULL DEFAULT 0;

-- `spent`: what open tasks reserve and final ones were charged, less what operators gave back; `day_spent`: of the tasks
-- of `day`, the last one on which the key made any.
CREATE TABLE key_spending (
    account   INTEGER NOT NULL,
    api_key   INTEGER NOT NULL,
    charged   INTEGER NOT NULL,
    spent     INTEGER NOT NULL,
    day       INTEGER NOT NULL,
    day_spent INTEGER NOT NULL,
    PRIMARY KEY (account, api_key)
) STRICT, WITHOUT ROWID;

-- The sums over tasks. `returned`: what operators gave back of what was charged.
CREATE TABLE usage (
    account   INTEGER NOT NULL,
    day       INTEGER NOT NULL,
    api_key   INTEGER NOT NULL,
    book      INTEGER NOT NULL,
    model     TEXT NOT NULL,
    tasks     INTEGER NOT NULL,
    completed INTEGER NOT NULL,
    failed    INTEGER NOT NULL,
    charged   INTEGER NOT NULL,
    refunded  INTEGER NOT NULL,
    returned  INTEGER NOT NULL,
    PRIMARY KEY (account, day, api_key, book, model)
) STRICT, WITHOUT ROWID;

-- An operator's order that names a reference is carried out once.
CREATE TABLE credit_reference (
    account      INTEGER NOT NULL,
    reference    TEXT NOT NULL,
    sequence     INTEGER NOT NULL, -- the entry in the ledger
    microcredits INTEGER NOT NULL,
    task         TEXT NOT NULL,
    PRIMARY KEY (account, reference)
) STRICT, WITHOUT ROWID;

-- What was given back of a task's charge.
CREATE INDEX ledger_return ON ledger (account, task) WHERE kind = 3 AND task <> '';

INSERT INTO usage (account, day, api_key, book, model, tasks, completed, failed, charged, refunded, returned)
SELECT account, created_ms / 86400000, api_key, book, model, count(*),
    sum(CASE state WHEN 2 THEN 1 ELSE 0 END), sum(CASE state WHEN 3 THEN 1 ELSE 0 END), sum(charged), sum(refunded), 0
FROM task GROUP BY account, created_ms / 86400000, api_key, book, model;

INSERT INTO key_spending (account, api_key, charged, spent, day, day_spent)
SELECT account, api_key, sum(charged), sum(spent), max(day), sum(CASE WHEN day = last_day THEN spent ELSE 0 END)
FROM (SELECT account, api_key, charged, CASE WHEN state IN (0, 1) THEN reserved ELSE charged END AS spent,
        created_ms / 86400000 AS day,
        max(created_ms / 86400000) OVER (PARTITION BY account, api_key) AS last_day
    FROM task) AS tasks
GROUP BY account, api_key;
