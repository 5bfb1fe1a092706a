-- Fills a new store of :accounts accounts with :tasks tasks, the first one at :start_ms and the others in the :span_ms after it.
-- filled.py runs it statement by statement; what looks random is Knuth's multiplicative hash of a task's number.
INSERT INTO task (number, account, id, api_key, book, type, state, progress, billing, created_ms, started_ms, finished_ms,
    reserved, charged, refunded, model, "group", error, error_message, results)
WITH RECURSIVE
numbers (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM numbers WHERE n < :tasks),
-- By a square, so that a few accounts have many tasks and most have few.
spread AS (SELECT n, n * 2654435761 % 4294967296 AS mix, :start_ms + n * :span_ms / :tasks AS created_ms FROM numbers),
named AS (SELECT n, mix, created_ms, CASE WHEN mix % 100 < 3 THEN 3 ELSE 2 END AS state,
    1 + CAST(:accounts * (mix / 4294967296.0) * (mix / 4294967296.0) AS INTEGER) AS account,
    -- As real ids: four digits of the time within the second, four random ones.
    'task-unified-' || (created_ms / 1000) || '-' || printf('%04d', created_ms % 1000 * 10)
        || substr('abcdefghijklmnopqrstuvwxyz', 1 + mix % 26, 1) || substr('abcdefghijklmnopqrstuvwxyz', 1 + mix / 26 % 26, 1)
        || substr('abcdefghijklmnopqrstuvwxyz', 1 + mix / 676 % 26, 1) || (mix / 17576 % 10) AS id
    FROM spread)
SELECT n, account, id, account, 0, 1, state, CASE state WHEN 2 THEN 100 ELSE 40 END, 1, created_ms, created_ms + 200,
    created_ms + 60000, 25000000, CASE state WHEN 2 THEN 25000000 ELSE 0 END, CASE state WHEN 2 THEN 0 ELSE 25000000 END,
    'seedance-2.0-text-to-video', 'default', CASE state WHEN 2 THEN '' ELSE 'generation_failed' END, '',
    CASE state WHEN 2 THEN '[{"url":"' || char(1) || '/v1/artifacts/' || printf('%064x', mix) || '/' || id || '-1.mp4?expires='
        || (created_ms / 1000 + 86400) || '&signature=' || printf('%043d', mix) || '","seed":' || mix || '}]' ELSE '' END
FROM named;

INSERT INTO event (account, task, sequence, at_ms, kind, data)
SELECT account, id, step, CASE step WHEN 1 THEN created_ms WHEN 2 THEN started_ms ELSE finished_ms END,
    CASE step WHEN 1 THEN 'accepted' WHEN 2 THEN 'dispatched' ELSE CASE state WHEN 2 THEN 'completed' ELSE 'failed' END END,
    CASE step WHEN 1 THEN '{}' WHEN 2 THEN '{"attempt":1,"provider":"fal"}' ELSE '{"attempt":1}' END
FROM task CROSS JOIN (SELECT 1 AS step UNION ALL SELECT 2 UNION ALL SELECT 3);

INSERT INTO attempt (account, task, number, state, started_ms, ended_ms, provider, remote, detail, target, credential)
SELECT account, id, 1, CASE state WHEN 2 THEN 1 ELSE 2 END, started_ms, finished_ms, 'fal', printf('%036x', number), '',
    'bytedance/seedance-2.0/text-to-video', '0123456789abcdef'
FROM task;

INSERT INTO ledger (account, sequence, book, kind, microcredits, charged, task, at_ms, note)
SELECT id, 1, 0, 0, 1000000000000000, 0, '', :start_ms, '' FROM account;

-- Reservation and settlement of each task, one behind the other.
INSERT INTO ledger (account, sequence, book, kind, microcredits, charged, task, at_ms, note)
SELECT account, 2 * place + half, 0, 1 + half, CASE half WHEN 0 THEN -reserved ELSE refunded END,
    CASE half WHEN 0 THEN 0 ELSE charged END, id, CASE half WHEN 0 THEN created_ms ELSE finished_ms END, ''
FROM (SELECT account, id, reserved, charged, refunded, created_ms, finished_ms,
        row_number() OVER (PARTITION BY account ORDER BY id) AS place FROM task)
    CROSS JOIN (SELECT 0 AS half UNION ALL SELECT 1);

INSERT INTO artifact (account, task, role, position, hash, size, expires_ms, media_type, name)
SELECT account, id, 1, 0, printf('%064x', number), 3502, :kept_until_ms, 'video/mp4', id || '-1.mp4'
FROM task WHERE number > :tasks - :tasks / 50 AND state = 2;

INSERT INTO usage (account, day, api_key, book, model, tasks, completed, failed, charged, refunded, returned)
SELECT account, created_ms / 86400000, api_key, book, model, count(*), sum(state = 2), sum(state = 3), sum(charged),
    sum(refunded), 0
FROM task GROUP BY 1, 2, 3, 4, 5;

INSERT INTO key_spending (account, api_key, charged, spent, day, day_spent)
SELECT account, api_key, sum(charged), sum(charged), max(day), sum(CASE WHEN day = last THEN charged ELSE 0 END)
FROM (SELECT account, api_key, day, charged, max(day) OVER (PARTITION BY account, api_key) AS last FROM usage) GROUP BY 1, 2;

INSERT INTO balance (account, book, microcredits, charged)
SELECT id, book, CASE book WHEN 0 THEN 1000000000000000 - spent ELSE 0 END, CASE book WHEN 0 THEN spent ELSE 0 END
FROM (SELECT id, coalesce((SELECT sum(charged) FROM usage WHERE usage.account = account.id), 0) AS spent FROM account)
    CROSS JOIN (SELECT 0 AS book UNION ALL SELECT 1);
