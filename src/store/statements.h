/* Every SQL statement of the store, in one table: number and text.
 *
 * The text keeps to what SQLite and PostgreSQL both understand. Parameters are $1, $2, … and first appear in that order.
 * A condition that repeats the WHERE of a partial index is there so that the index can be used. */
#pragma once

#define ACCOUNT_COLUMNS                                                                                                \
    "account.id, account.name, account.\"group\", account.created_ms,"                                                 \
    " coalesce((SELECT microcredits FROM balance WHERE balance.account = account.id AND balance.book = 0), 0),"        \
    " coalesce((SELECT microcredits FROM balance WHERE balance.account = account.id AND balance.book = 1), 0),"        \
    " coalesce((SELECT charged FROM balance WHERE balance.account = account.id AND balance.book = 0), 0),"             \
    " coalesce((SELECT charged FROM balance WHERE balance.account = account.id AND balance.book = 1), 0),"        \
    " account.suspended_ms"
#define KEY_COLUMNS                                                                                                    \
    "api_key.id, api_key.account, api_key.book, api_key.hash, api_key.prefix, api_key.name, api_key.created_ms,"       \
    " api_key.expires_ms, api_key.revoked_ms, api_key.requests_per_minute, api_key.concurrency, api_key.budget_total,"  \
    " api_key.budget_day"
#define TASK_COLUMNS                                                                                                   \
    "task.account, task.id, task.api_key, task.book, task.type, task.state, task.progress, task.billing, task.error,"  \
    " task.created_ms, task.started_ms, task.finished_ms, task.reserved, task.charged, task.refunded, task.model,"     \
    " task.\"group\", task.results, task.error_message, task.streams, task.result_ttl_s,"               \
    " task.calls_back"
#define ADMIN_KEY_COLUMNS "id, hash, prefix, name, created_ms, expires_ms, revoked_ms"
#define ARTIFACT_COLUMNS "account, task, role, position, hash, size, expires_ms, media_type, name"
#define LEDGER_COLUMNS "sequence, account, book, kind, microcredits, charged, task, at_ms, note"
/* SQLite would rather go through all of the account's entries, which need no second look-up, if it were not told. */
#define RETURNS "ledger INDEXED BY ledger_return"
/* The same of the few tasks that are open among all. */
#define OPEN_TASKS "task INDEXED BY task_open_of_account"
/* And of the inputs among the account's files of the same bytes, which may be results without number. */
#define INPUTS "artifact INDEXED BY artifact_input"
/* What the tasks say a key has spent, and on its last day; the day of a task is that of its acceptance. */
#define TASK_DAY "task.created_ms / 86400000"
#define TASK_SPENT "CASE WHEN task.state IN (0, 1) THEN task.reserved ELSE task.charged END"
#define TASK_RETURNED "coalesce((SELECT sum(microcredits) FROM " RETURNS " WHERE ledger.account = task.account"         \
    " AND ledger.task = task.id AND kind = 3 AND task <> ''), 0)"
#define FILE_COLUMNS "account, id, sequence, hash, size, created_ms, expires_ms, media_type, name"
#define CALLBACK_COLUMNS                                                                                               \
    "number, account, id, task, test, state, round, rung, tries, due_ms, deadline_ms, created_ms, ended_ms, status,"   \
    " lane, url, base, outcome"
#define OLD_CALLBACKS                                                                                                  \
    " FROM callback WHERE state IN (2, 3) AND ended_ms < $1 ORDER BY ended_ms, number LIMIT $2"
#define BOOK_NAME(column) "CASE " column " WHEN 0 THEN 'live' ELSE 'test' END"

#define SQL_TABLE(X)                                                                                                   \
    X(SQL_PING, "SELECT 1 FROM meta WHERE name = 'secret'")                                                            \
    X(SQL_GET_META, "SELECT value FROM meta WHERE name = $1")                                                          \
    X(SQL_PUT_META, "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value") \
    X(SQL_KEEP_META, "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING")                   \
    /* accounts and keys */                                                                                            \
    X(SQL_ADD_ACCOUNT, "INSERT INTO account (name, \"group\", created_ms) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING") \
    X(SQL_ADD_BALANCE, "INSERT INTO balance (account, book, microcredits, charged) VALUES ($1, $2, 0, 0)")                         \
    X(SQL_SET_GROUP, "UPDATE account SET \"group\" = $1 WHERE id = $2 AND \"group\" <> $1")                            \
    X(SQL_FIND_ACCOUNT, "SELECT " ACCOUNT_COLUMNS " FROM account WHERE name = $1")                                     \
    X(SQL_FIND_ACCOUNT_BY_ID, "SELECT " ACCOUNT_COLUMNS " FROM account WHERE id = $1")                                 \
    X(SQL_LIST_ACCOUNTS, "SELECT " ACCOUNT_COLUMNS " FROM account ORDER BY name")                                      \
    X(SQL_ADD_NEW_ACCOUNT, "INSERT INTO account (name, \"group\", created_ms) VALUES ($1, $2, $3) RETURNING id")       \
    X(SQL_SET_SUSPENDED, "UPDATE account SET suspended_ms = $1 WHERE id = $2 AND (suspended_ms = 0) <> ($1 = 0)")      \
    X(SQL_LIST_ACCOUNTS_AFTER, "SELECT " ACCOUNT_COLUMNS " FROM account WHERE name > $1"                               \
      " AND substr(name, 1, length($2)) = $2 ORDER BY name LIMIT $3")                                                  \
    X(SQL_ADD_KEY, "INSERT INTO api_key (account, book, hash, prefix, name, created_ms, expires_ms, revoked_ms,"       \
      " requests_per_minute, concurrency, budget_total, budget_day)"                                                   \
      " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING id")                                                         \
    X(SQL_REVOKE_KEY_BY_ID, "UPDATE api_key SET revoked_ms = $1 WHERE revoked_ms = 0 AND account = $2 AND id = $3")     \
    X(SQL_SET_KEY, "UPDATE api_key SET name = $1, requests_per_minute = $2, concurrency = $3, budget_total = $4,"      \
      " budget_day = $5 WHERE account = $6 AND id = $7 AND revoked_ms = 0")                                            \
    X(SQL_FIND_KEY_BY_ID, "SELECT " KEY_COLUMNS " FROM api_key WHERE account = $1 AND id = $2")                        \
    X(SQL_FIND_KEY, "SELECT " KEY_COLUMNS ", " ACCOUNT_COLUMNS                                                         \
      " FROM api_key JOIN account ON account.id = api_key.account WHERE api_key.hash = $1")                            \
    X(SQL_LIST_KEYS, "SELECT " KEY_COLUMNS " FROM api_key WHERE $1 = 0 OR account = $1 ORDER BY id")                   \
    /* the ledger */                                                                                                   \
    X(SQL_MOVE_BALANCE, "UPDATE balance SET microcredits = microcredits + $1, charged = charged + $2"                  \
      " WHERE account = $3 AND book = $4 AND microcredits + $1 BETWEEN $5 AND $6")                                     \
    X(SQL_FIND_BALANCE, "SELECT microcredits FROM balance WHERE account = $1 AND book = $2")                           \
    X(SQL_FIND_RESERVATION, "SELECT microcredits FROM ledger"                                                          \
      " WHERE account = $1 AND task = $2 AND book = $3 AND kind = 1 AND kind IN (1, 2)")                                   \
    X(SQL_ADD_LEDGER, "INSERT INTO ledger (account, sequence, book, kind, microcredits, charged, task, at_ms, note)"   \
      " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)")                                                                  \
    X(SQL_LIST_LEDGER, "SELECT " LEDGER_COLUMNS " FROM ledger WHERE account = $1 ORDER BY sequence")                    \
    X(SQL_LIST_LEDGER_PART, "SELECT " LEDGER_COLUMNS " FROM ledger WHERE account = $1 AND sequence > $2"               \
      " AND sequence <= $3 AND at_ms >= $4 AND at_ms < $5 ORDER BY sequence LIMIT $6")                                 \
    X(SQL_LAST_ENTRY, "SELECT coalesce(max(sequence), 0) FROM ledger WHERE account = $1")                              \
    X(SQL_ENTRY_TIME, "SELECT at_ms FROM ledger WHERE account = $1 AND sequence = $2")                                 \
    X(SQL_FIND_RETURNED, "SELECT coalesce(sum(microcredits), 0) FROM " RETURNS                                         \
      " WHERE account = $1 AND task = $2 AND kind = 3 AND task <> ''")                                                 \
    X(SQL_ADD_REFERENCE, "INSERT INTO credit_reference (account, reference, sequence, microcredits, task)"             \
      " VALUES ($1, $2, $3, $4, $5)")                                                                                  \
    X(SQL_FIND_REFERENCE, "SELECT sequence, microcredits, task FROM credit_reference"                                  \
      " WHERE account = $1 AND reference = $2")                                                                        \
    /* what keys have spent, and what was used */                                                                      \
    X(SQL_ADD_SPENDING, "INSERT INTO key_spending (account, api_key, charged, spent, day, day_spent)"                  \
      " VALUES ($1, $2, $3, $4, $5, $4) ON CONFLICT (account, api_key) DO UPDATE SET"                                  \
      " charged = key_spending.charged + excluded.charged, spent = key_spending.spent + excluded.spent,"               \
      " day_spent = CASE WHEN key_spending.day < excluded.day THEN excluded.day_spent"                                 \
      " WHEN key_spending.day = excluded.day THEN key_spending.day_spent + excluded.day_spent"                         \
      " ELSE key_spending.day_spent END,"                                                                              \
      " day = CASE WHEN key_spending.day < excluded.day THEN excluded.day ELSE key_spending.day END")                  \
    X(SQL_FIND_SPENDING, "SELECT spent, day, day_spent, charged FROM key_spending"                                     \
      " WHERE account = $1 AND api_key = $2")                                                                          \
    X(SQL_ADD_USAGE, "INSERT INTO usage (account, day, api_key, book, model, tasks, completed, failed, charged,"       \
      " refunded, returned) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"                                     \
      " ON CONFLICT (account, day, api_key, book, model) DO UPDATE SET tasks = usage.tasks + excluded.tasks,"          \
      " completed = usage.completed + excluded.completed, failed = usage.failed + excluded.failed,"                    \
      " charged = usage.charged + excluded.charged, refunded = usage.refunded + excluded.refunded,"                    \
      " returned = usage.returned + excluded.returned")                                                                \
    X(SQL_SUM_USAGE, "SELECT CASE WHEN $1 = 1 THEN day ELSE 0 END AS of_day,"                                          \
      " CASE WHEN $2 = 1 THEN model ELSE '' END AS of_model, CASE WHEN $3 = 1 THEN api_key ELSE 0 END AS of_key,"      \
      " sum(tasks), sum(completed), sum(failed), sum(charged), sum(refunded), sum(returned) FROM usage"                \
      " WHERE account = $4 AND day BETWEEN $5 AND $6 AND book = $7 AND ($8 = 0 OR api_key = $8)"                       \
      " AND ($9 = '' OR model = $9) GROUP BY of_day, of_model, of_key"                                                 \
      " HAVING (of_day, of_model, of_key) > ($10, $11, $12) ORDER BY of_day, of_model, of_key LIMIT $13")              \
    /* tasks */                                                                                                        \
    X(SQL_ADD_TASK, "INSERT INTO task (account, id, api_key, book, type, state, progress, billing, error, created_ms," \
      " started_ms, finished_ms, reserved, charged, refunded, model, \"group\", results, error_message, streams,"      \
      " result_ttl_s, calls_back)"                                                                                      \
      " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)")           \
    X(SQL_ADD_OPEN_TASK, "INSERT INTO task (account, id, api_key, book, type, state, progress, billing, error,"        \
      " created_ms, started_ms, finished_ms, reserved, charged, refunded, model, \"group\", results, error_message,"   \
      " streams, result_ttl_s, calls_back, input)"                                                                     \
      " VALUES ($1, $2, $3, $4, $5, 0, 0, $6, '', $7, 0, 0, $8, 0, 0, $9, $10, '', '', $11, $12, $13, $14)")            \
    X(SQL_ADD_INPUT, "INSERT INTO task_input (account, task, input) VALUES ($1, $2, $3)")                              \
    X(SQL_MOVE_TASK, "UPDATE task SET state = $1, progress = CASE WHEN progress > $2 THEN progress ELSE $2 END,"       \
      " started_ms = $3, finished_ms = $4, reserved = $5, charged = $6, refunded = $7, results = $8, error = $9,"      \
      " error_message = $10, input = CASE WHEN $1 IN (2, 3) THEN '' ELSE input END"                                    \
      " WHERE account = $11 AND id = $12 AND state = $13 AND state IN (0, 1)")                                         \
    X(SQL_FIND_STATE, "SELECT state FROM task WHERE account = $1 AND id = $2")                                         \
    X(SQL_RAISE_PROGRESS, "UPDATE task SET progress = $1 WHERE account = $2 AND id = $3 AND state = 1 AND progress < $1") \
    X(SQL_FIND_TASK, "SELECT " TASK_COLUMNS " FROM task WHERE account = $1 AND id = $2")                               \
    X(SQL_FIND_TASK_OF_ANY, "SELECT " TASK_COLUMNS                                                                     \
      " FROM account CROSS JOIN task WHERE task.account = account.id AND task.id = $1 LIMIT 1")                        \
    X(SQL_LOAD_INPUT, "SELECT input FROM task WHERE account = $1 AND id = $2 AND input <> ''"                          \
      " UNION ALL SELECT input FROM task_input WHERE account = $1 AND task = $2")                                      \
    X(SQL_DROP_INPUT, "DELETE FROM task_input WHERE account = $1 AND task = $2")                                       \
    X(SQL_LIST_TASKS, "SELECT " TASK_COLUMNS " FROM task WHERE $1 < 0 OR state = $1 ORDER BY number DESC LIMIT $2")    \
    X(SQL_LIST_TASKS_OF_ACCOUNT, "SELECT " TASK_COLUMNS                                                                \
      " FROM task WHERE account = $1 AND ($2 < 0 OR state = $2) ORDER BY number DESC LIMIT $3")                        \
    X(SQL_FIND_NUMBER, "SELECT number FROM task WHERE account = $1 AND id = $2")                                       \
    X(SQL_SCAN_TASKS, "SELECT id, state, type, model FROM task WHERE account = $1 AND number < $2"                     \
      " ORDER BY number DESC LIMIT $3")                                                                                \
    X(SQL_SCAN_OPEN_TASKS, "SELECT id, state, type, model FROM task WHERE account = $1 AND number < $2"                \
      " AND state IN (0, 1) ORDER BY number DESC LIMIT $3")                                                            \
    X(SQL_SCAN_FAILED_TASKS, "SELECT id, state, type, model FROM task WHERE account = $1 AND number < $2"              \
      " AND state = 3 ORDER BY number DESC LIMIT $3")                                                                  \
    X(SQL_LAST_TASK, "SELECT coalesce(max(number), 0) FROM task")                                                      \
    X(SQL_LIST_TASK_PAGE, "SELECT " TASK_COLUMNS ", task.number FROM task WHERE number < $1 AND number >= $2"           \
      " AND ($3 = 0 OR account = $3) AND ($4 < 0 OR state = $4) AND ($5 < 0 OR type = $5) AND ($6 = '' OR model = $6)" \
      " AND ($7 = '' OR EXISTS (SELECT 1 FROM attempt WHERE attempt.account = task.account AND attempt.task = task.id" \
      " AND attempt.provider = $7)) ORDER BY number DESC LIMIT $8")                                                    \
    X(SQL_LIST_OPEN_TASKS_IN, "SELECT " TASK_COLUMNS " FROM " OPEN_TASKS " WHERE state IN (0, 1) AND state = $1"       \
      " AND ($2 = 0 OR account = $2) ORDER BY number DESC LIMIT $3")                                                   \
    X(SQL_LIST_OPEN_TASKS, "SELECT " TASK_COLUMNS " FROM " OPEN_TASKS " WHERE state IN (0, 1)"                         \
      " ORDER BY account, number")                                                                                     \
    X(SQL_LIST_DURATIONS, "SELECT finished_ms - CASE WHEN started_ms > 0 THEN started_ms ELSE created_ms END FROM task" \
      " WHERE state = 2 AND book = 0 AND type <> 3 AND model = $1 ORDER BY finished_ms DESC LIMIT $2")                 \
    /* attempts and events */                                                                                          \
    X(SQL_ADD_ATTEMPT, "INSERT INTO attempt (account, task, number, state, started_ms, ended_ms, provider, remote, detail," \
      " target, credential, kept) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)")                         \
    X(SQL_SET_ATTEMPT_REMOTE, "UPDATE attempt SET remote = $1, kept = $2"                                              \
      " WHERE account = $3 AND task = $4 AND number = $5")                                                             \
    X(SQL_END_ATTEMPT, "UPDATE attempt SET state = $1, ended_ms = $2, remote = CASE WHEN $3 = '' THEN remote ELSE $3 END," \
      " detail = $4 WHERE account = $5 AND task = $6 AND number = $7")                                                 \
    X(SQL_LIST_ATTEMPTS, "SELECT account, task, number, state, started_ms, ended_ms, provider, remote, detail,"        \
      " target, credential, kept FROM attempt WHERE account = $1 AND task = $2 ORDER BY number")                                                \
    X(SQL_ADD_EVENT, "INSERT INTO event (account, task, sequence, at_ms, kind, data) VALUES ($1, $2,"                  \
      " (SELECT coalesce(max(sequence), 1) + 1 FROM event WHERE account = $1 AND task = $2), $3, $4, $5)")             \
    X(SQL_ADD_EVENT_AT, "INSERT INTO event (account, task, sequence, at_ms, kind, data) VALUES ($1, $2, $3, $4, $5, $6)") \
    X(SQL_LAST_EVENT, "SELECT coalesce((SELECT max(sequence) FROM event WHERE account = $1 AND task = $2),"            \
      " (SELECT 1 FROM task WHERE account = $1 AND id = $2), 0)")                                                      \
    X(SQL_LIST_UNWRITTEN_EVENTS, "SELECT account, id, 1 AS sequence, created_ms, 'accepted', '{}' FROM task"           \
      " WHERE account = $1 AND id = $2 AND $3 < 1 AND NOT EXISTS (SELECT 1 FROM event"                                 \
      " WHERE event.account = $1 AND event.task = $2 AND event.sequence = 1)"                                          \
      " UNION ALL SELECT account, task, 2, started_ms, 'dispatched', CASE WHEN target = '' AND credential = ''"        \
      " THEN json_object('attempt', number, 'provider', provider)"                                                     \
      " ELSE json_object('attempt', number, 'provider', provider, 'target', target, 'key', credential) END"            \
      " FROM attempt WHERE account = $1 AND task = $2 AND number = 1 AND $3 < 2 AND NOT EXISTS (SELECT 1 FROM event"   \
      " WHERE event.account = $1 AND event.task = $2 AND event.sequence = 2) ORDER BY sequence")                       \
    X(SQL_LIST_EVENTS_AFTER, "SELECT account, task, sequence, at_ms, kind"                                             \
      " FROM event WHERE account = $1 AND task = $2 AND sequence > $3 ORDER BY sequence")                              \
    X(SQL_LIST_EVENTS, "SELECT account, task, sequence, at_ms, kind, data"                                             \
      " FROM event WHERE account = $1 AND task = $2 ORDER BY sequence")                                                \
    /* artifacts */                                                                                                    \
    X(SQL_ADD_ARTIFACT, "INSERT INTO artifact (" ARTIFACT_COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)")     \
    X(SQL_ADD_SMALL, "INSERT INTO small (bytes) VALUES ($1)")                                                          \
    X(SQL_ADD_SMALL_ARTIFACT, "INSERT INTO artifact (" ARTIFACT_COLUMNS ", small)" /* right after its bytes */         \
      " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, last_insert_rowid())")                                             \
    X(SQL_REMOVE_SMALL, "DELETE FROM small WHERE id = (SELECT small FROM artifact WHERE account = $1 AND task = $2"    \
      " AND role = $3 AND position = $4 AND expires_ms = $5)")                                                         \
    X(SQL_FIND_SMALL, "SELECT bytes FROM small WHERE id = (SELECT small FROM artifact WHERE hash = $1 AND small > 0 LIMIT 1)") \
    X(SQL_FIND_ARTIFACT, "SELECT hash, size FROM artifact WHERE account = $1 AND task = $2 AND role = $3"              \
      " AND position = $4 AND expires_ms = $5")                                                                        \
    X(SQL_REMOVE_ARTIFACT, "DELETE FROM artifact WHERE account = $1 AND task = $2 AND role = $3 AND position = $4"     \
      " AND expires_ms = $5")                                                                                          \
    X(SQL_RENEW_ARTIFACTS, "UPDATE artifact SET expires_ms = $1"                                                       \
      " WHERE account = $2 AND task = $3 AND role = 1 AND expires_ms = $4 AND expires_ms > $5")                        \
    X(SQL_RENEW_TASK, "UPDATE task SET results = $1 WHERE account = $2 AND id = $3 AND state = 2")                     \
    X(SQL_EXPIRE_INPUTS, "UPDATE artifact SET expires_ms = $1 WHERE account = $2 AND task = $3 AND role = 0")          \
    X(SQL_FIND_INPUT, "SELECT 1 FROM " INPUTS " WHERE account = $1 AND hash = $2 AND role = 0 LIMIT 1")                \
    X(SQL_TAKE_INPUT_SPACE, "INSERT INTO file_space (account, bytes, files, last, inputs) VALUES ($1, 0, 0, 0, $2)"    \
      " ON CONFLICT (account) DO UPDATE SET inputs = file_space.inputs + excluded.inputs")                             \
    X(SQL_GIVE_INPUT_SPACE, "UPDATE file_space SET inputs = inputs - $1 WHERE account = $2")                           \
    X(SQL_FIND_INPUT_SPACE, "SELECT inputs FROM file_space WHERE account = $1")                                        \
    X(SQL_LIST_ARTIFACTS, "SELECT " ARTIFACT_COLUMNS ", small"                                                         \
      " FROM artifact WHERE account = $1 AND task = $2 ORDER BY role, position")                                       \
    X(SQL_LIST_EXPIRED_ARTIFACTS, "SELECT " ARTIFACT_COLUMNS ", small"                                                 \
      " FROM artifact WHERE expires_ms > 0 AND expires_ms <= $1 ORDER BY expires_ms LIMIT $2")                         \
    X(SQL_LIST_EXPIRED_BLOBS, "SELECT " ARTIFACT_COLUMNS ", small"                                                     \
      " FROM artifact WHERE expires_ms > 0 AND expires_ms <= $1 AND small = 0 ORDER BY expires_ms LIMIT $2")           \
    X(SQL_FIND_CLAIM, "SELECT 1 FROM artifact WHERE hash = $1 AND small = 0"                                           \
      " UNION ALL SELECT 1 FROM file WHERE hash = $1 LIMIT 1")                                                         \
    X(SQL_FIND_LASTING_CLAIM, "SELECT 1 FROM artifact WHERE hash = $1 AND small = 0 AND (expires_ms = 0 OR expires_ms > $2)" \
      " UNION ALL SELECT 1 FROM file WHERE hash = $1 AND expires_ms > $2 LIMIT 1")                                     \
    /* files that clients have uploaded */                                                                             \
    X(SQL_TAKE_SPACE, "INSERT INTO file_space (account, bytes, files, last) VALUES ($1, $2, 1, 1)"                     \
      " ON CONFLICT (account) DO UPDATE SET bytes = file_space.bytes + excluded.bytes,"                                \
      " files = file_space.files + 1, last = file_space.last + 1")                                                     \
    X(SQL_GIVE_SPACE, "UPDATE file_space SET bytes = bytes - $1, files = files - 1 WHERE account = $2")                \
    X(SQL_FIND_SPACE, "SELECT bytes, files FROM file_space WHERE account = $1")                                        \
    X(SQL_COUNT_FILES, "SELECT files FROM file_space WHERE account = $1")                                              \
    X(SQL_ADD_FILE, "INSERT INTO file (" FILE_COLUMNS ")"                                                              \
      " VALUES ($1, $2, (SELECT last FROM file_space WHERE account = $1), $3, $4, $5, $6, $7, $8)")                    \
    X(SQL_REMOVE_FILE, "DELETE FROM file WHERE account = $1 AND id = $2")                                              \
    X(SQL_FIND_FILE, "SELECT " FILE_COLUMNS " FROM file WHERE account = $1 AND id = $2")                               \
    X(SQL_FIND_EXPIRED_FILE, "SELECT " FILE_COLUMNS                                                                    \
      " FROM file WHERE account = $1 AND expires_ms <= $2 ORDER BY expires_ms LIMIT 1")                                \
    X(SQL_FIND_OLDEST_FILE, "SELECT " FILE_COLUMNS " FROM file WHERE account = $1 ORDER BY sequence LIMIT 1")          \
    X(SQL_LIST_FILES, "SELECT " FILE_COLUMNS " FROM file WHERE account = $1 AND sequence < coalesce("                  \
      "(SELECT sequence FROM file WHERE account = $1 AND id = $2),"                                                    \
      " (SELECT min(sequence) FROM file WHERE account = $1 AND created_ms >= $3), 9223372036854775807)"                \
      " AND expires_ms > $4 ORDER BY sequence DESC LIMIT $5")                                                          \
    X(SQL_LIST_EXPIRED_FILES, "SELECT " FILE_COLUMNS                                                                   \
      " FROM file WHERE expires_ms <= $1 ORDER BY expires_ms LIMIT $2")                                                \
    /* streams that have ended */                                                                                      \
    X(SQL_ADD_STREAM, "INSERT INTO stream (account, task, expires_ms, chunks) VALUES ($1, $2, $3, $4)")                \
    X(SQL_FIND_STREAM, "SELECT chunks FROM stream WHERE account = $1 AND task = $2 AND expires_ms > $3")               \
    X(SQL_FIND_OLD_STREAM, "SELECT 1 FROM stream WHERE expires_ms <= $1 LIMIT 1")                                      \
    X(SQL_DROP_STREAMS, "DELETE FROM stream WHERE (account, task) IN"                                                  \
      " (SELECT account, task FROM stream WHERE expires_ms <= $1 ORDER BY expires_ms LIMIT $2)")                       \
    /* idempotency keys */                                                                                             \
    X(SQL_ADD_IDEMPOTENCY, "INSERT INTO idempotency (account, book, name, fingerprint, task, estimated_s, expires_ms)" \
      " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (account, book, name) DO UPDATE"                               \
      " SET fingerprint = excluded.fingerprint, task = excluded.task, estimated_s = excluded.estimated_s,"             \
      " expires_ms = excluded.expires_ms WHERE idempotency.expires_ms <= $8")                                          \
    X(SQL_FIND_IDEMPOTENCY, "SELECT fingerprint, task, estimated_s, expires_ms FROM idempotency"                       \
      " WHERE account = $1 AND book = $2 AND name = $3 AND expires_ms > $4")                                           \
    X(SQL_FIND_OLD_IDEMPOTENCY, "SELECT 1 FROM idempotency WHERE expires_ms <= $1 LIMIT 1")                            \
    X(SQL_DROP_IDEMPOTENCY, "DELETE FROM idempotency WHERE (account, book, name) IN"                                   \
      " (SELECT account, book, name FROM idempotency WHERE expires_ms <= $1 ORDER BY expires_ms LIMIT $2)")            \
    /* what operators changed */                                                                                       \
    X(SQL_ADD_CHANGE, "INSERT INTO change (at_ms, actor, action, account, object, detail)"                             \
      " VALUES ($1, $2, $3, $4, $5, $6)")                                                                              \
    X(SQL_ADD_ADMIN_KEY, "INSERT INTO admin_key (hash, prefix, name, created_ms, expires_ms, revoked_ms)"              \
      " VALUES ($1, $2, $3, $4, $5, $6) RETURNING id")                                                                 \
    X(SQL_REVOKE_ADMIN_KEY, "UPDATE admin_key SET revoked_ms = $1 WHERE id = $2 AND revoked_ms = 0")                   \
    X(SQL_FIND_ADMIN_KEY, "SELECT " ADMIN_KEY_COLUMNS " FROM admin_key WHERE hash = $1")                               \
    X(SQL_LIST_ADMIN_KEYS, "SELECT " ADMIN_KEY_COLUMNS " FROM admin_key ORDER BY id")                                  \
    X(SQL_ADD_PAUSE, "INSERT INTO pause (kind, name, at_ms, actor, reason) VALUES ($1, $2, $3, $4, $5)"                \
      " ON CONFLICT (kind, name) DO NOTHING")                                                                          \
    X(SQL_DROP_PAUSE, "DELETE FROM pause WHERE kind = $1 AND name = $2")                                               \
    X(SQL_LIST_PAUSES, "SELECT kind, name, at_ms, actor, reason FROM pause ORDER BY kind, name")                       \
    X(SQL_LIST_CHANGES, "SELECT number, at_ms, actor, action, account, object, detail FROM change"                     \
      " WHERE ($1 = 0 OR account = $1) AND number < $2 ORDER BY number DESC LIMIT $3")                                 \
    /* callbacks */                                                                                                    \
    X(SQL_ADD_CALLBACK, "INSERT INTO callback (account, id, task, test, state, round, rung, tries, due_ms,"            \
      " deadline_ms, created_ms, ended_ms, status, lane, url, base, outcome)"                                          \
      " VALUES ($1, $2, $3, $4, $5, 0, 0, 0, $6, $7, $8, 0, 0, $9, $10, $11, '')")                                     \
    X(SQL_CALLBACKS_DUE, "UPDATE callback SET state = 1, due_ms = $1, deadline_ms = $2"                                \
      " WHERE account = $3 AND task = $4 AND state = 0")                                                               \
    X(SQL_SET_CALLBACK, "UPDATE callback SET tries = tries + $1, state = $2, rung = $3, due_ms = $4, ended_ms = $5,"   \
      " status = $6, outcome = $7 WHERE account = $8 AND id = $9 AND round = $10 AND (state = 1 OR $2 = 2)")           \
    X(SQL_COUNT_CALLBACK_TRY, "UPDATE callback SET tries = tries + 1 WHERE account = $1 AND id = $2")                  \
    X(SQL_ADD_CALLBACK_TRY, "INSERT INTO callback_try (account, callback, number, at_ms, duration_ms, status, outcome,"\
      " excerpt) VALUES ($1, $2,"                                                                                      \
      " (SELECT coalesce(max(number), 0) + 1 FROM callback_try WHERE account = $1 AND callback = $2),"                 \
      " $3, $4, $5, $6, $7) RETURNING number")                                                                         \
    X(SQL_DROP_CALLBACK_TRIES, "DELETE FROM callback_try WHERE account = $1 AND callback = $2 AND number <= $3")       \
    X(SQL_GIVE_UP_LATE_CALLBACKS, "UPDATE callback SET state = 3, ended_ms = $1, outcome = 'circuit_open'"             \
      " WHERE (account, id) IN (SELECT account, id FROM callback WHERE account = $2 AND lane = $3 AND state = 1"       \
      " AND deadline_ms <= $1 ORDER BY deadline_ms LIMIT $4)")                                                         \
    X(SQL_REPLAY_CALLBACK, "UPDATE callback SET state = 1, round = round + 1, rung = 0, due_ms = $1, deadline_ms = $2,"\
      " ended_ms = 0 WHERE account = $3 AND id = $4 AND state <> 0")                                                   \
    X(SQL_SET_CALLBACK_GONE, "INSERT INTO callback_gone (account, url, until_ms) VALUES ($1, $2, $3)"                  \
      " ON CONFLICT (account, url) DO UPDATE SET until_ms = excluded.until_ms")                                        \
    X(SQL_DROP_CALLBACK_GONE, "DELETE FROM callback_gone WHERE account = $1 AND url = $2")                             \
    X(SQL_DROP_CALLBACK_GONE_OF, "DELETE FROM callback_gone WHERE account = $1 AND url ="                              \
      " (SELECT url FROM callback WHERE callback.account = $1 AND callback.id = $2)")                                  \
    X(SQL_FIND_CALLBACK_GONE, "SELECT until_ms FROM callback_gone WHERE account = $1 AND url = $2 AND until_ms > $3")  \
    X(SQL_FIND_CALLBACK, "SELECT " CALLBACK_COLUMNS " FROM callback WHERE account = $1 AND id = $2")                   \
    X(SQL_FIND_CALLBACK_OF_ANY, "SELECT " CALLBACK_COLUMNS " FROM callback WHERE id = $1")                             \
    X(SQL_LIST_CALLBACKS, "SELECT " CALLBACK_COLUMNS " FROM callback WHERE account = $1"                               \
      " AND ($2 = -1 OR state = $2) AND number < $3 ORDER BY number DESC LIMIT $4")                                    \
    X(SQL_LIST_CALLBACKS_IN_STATE, "SELECT " CALLBACK_COLUMNS " FROM callback WHERE account = $1 AND state = $2"       \
      " AND state IN (0, 1, 3) AND number < $3 ORDER BY number DESC LIMIT $4")                                         \
    X(SQL_LIST_CALLBACKS_OF_TASK, "SELECT " CALLBACK_COLUMNS " FROM callback WHERE account = $1 AND task = $2"         \
      " AND ($3 = -1 OR state = $3) AND number < $4 ORDER BY number DESC LIMIT $5")                                    \
    X(SQL_LIST_CALLBACKS_OF_ALL, "SELECT " CALLBACK_COLUMNS " FROM callback WHERE ($1 = -1 OR state = $1)"             \
      " AND number < $2 ORDER BY number DESC LIMIT $3")                                                                \
    X(SQL_LIST_DUE_CALLBACKS, "SELECT " CALLBACK_COLUMNS " FROM callback WHERE account = $1 AND lane = $2"             \
      " AND state = 1 ORDER BY due_ms LIMIT $3")                                                                       \
    X(SQL_NEXT_CALLBACK_LANE, "SELECT account, lane, due_ms FROM callback WHERE state = 1"                             \
      " AND (account, lane) > ($1, $2) ORDER BY account, lane, due_ms LIMIT 1")                                        \
    X(SQL_COUNT_DUE_CALLBACKS, "SELECT count(*) FROM callback WHERE state = 1")                                        \
    X(SQL_LIST_CALLBACK_TRIES, "SELECT number, at_ms, duration_ms, status, outcome, excerpt FROM callback_try"         \
      " WHERE account = $1 AND callback = $2 ORDER BY number")                                                         \
    X(SQL_FIND_OLD_CALLBACK, "SELECT 1 FROM callback WHERE state IN (2, 3) AND ended_ms < $1 LIMIT 1")                 \
    X(SQL_DROP_TRIES_OF_OLD, "DELETE FROM callback_try WHERE (account, callback) IN (SELECT account, id" OLD_CALLBACKS ")") \
    X(SQL_DROP_OLD_CALLBACKS, "DELETE FROM callback WHERE (account, id) IN (SELECT account, id" OLD_CALLBACKS ")")     \
    X(SQL_FIND_OLD_CALLBACK_GONE, "SELECT 1 FROM callback_gone WHERE until_ms <= $1 LIMIT 1")                          \
    X(SQL_DROP_OLD_CALLBACK_GONE, "DELETE FROM callback_gone WHERE (account, url) IN"                                  \
      " (SELECT account, url FROM callback_gone WHERE until_ms <= $1 ORDER BY until_ms LIMIT $2)")                     \
    X(SQL_ENSURE_CALLBACK_SECRET, "INSERT INTO callback_secret (account, number, secret, created_ms, expires_ms)"      \
      " SELECT $1, 1, $2, $3, 0 WHERE NOT EXISTS (SELECT 1 FROM callback_secret WHERE account = $1)")                  \
    X(SQL_ADD_CALLBACK_SECRET, "INSERT INTO callback_secret (account, number, secret, created_ms, expires_ms)"         \
      " VALUES ($1, (SELECT coalesce(max(number), 0) + 1 FROM callback_secret WHERE account = $1), $2, $3, 0)")        \
    X(SQL_END_CALLBACK_SECRET, "UPDATE callback_secret SET expires_ms = $1 WHERE account = $2 AND expires_ms = 0")     \
    X(SQL_DROP_CALLBACK_SECRETS, "DELETE FROM callback_secret WHERE account = $1 AND expires_ms > 0"                   \
      " AND ($2 = 0 OR expires_ms <= $2)")                                                                             \
    X(SQL_LIST_CALLBACK_SECRETS, "SELECT number, secret, created_ms, expires_ms FROM callback_secret"                  \
      " WHERE account = $1 AND (expires_ms = 0 OR expires_ms > $2) ORDER BY number DESC LIMIT $3")                     \
    /* the audit: each gives sentences about what is wrong */                                                          \
    X(SQL_AUDIT_BALANCE, "SELECT 'L1: the ' || " BOOK_NAME("balance.book") " || ' balance of account ' || balance.account"\
      " || ' is ' || balance.microcredits || ' microcredits, but its entries sum up to '"                              \
      " || coalesce(sum(ledger.microcredits), 0) FROM balance LEFT JOIN ledger"                                        \
      " ON ledger.account = balance.account AND ledger.book = balance.book GROUP BY balance.account, balance.book"     \
      " HAVING balance.microcredits <> coalesce(sum(ledger.microcredits), 0)")                                         \
    X(SQL_AUDIT_CHARGED, "SELECT 'L1: account ' || account || ' was charged ' || charged || ' in its ' || " BOOK_NAME("book") \
      " || ' book, but its settlements say ' || entries FROM (SELECT account, book, charged,"                          \
      " (SELECT coalesce(sum(ledger.charged), 0) FROM ledger WHERE ledger.account = balance.account"                   \
      " AND ledger.book = balance.book) AS entries FROM balance) AS books WHERE charged <> entries")                   \
    X(SQL_AUDIT_BOOK, "SELECT DISTINCT 'L1: account ' || account || ' has entries in its ' || " BOOK_NAME("book")      \
      " || ' book, but no balance' FROM ledger WHERE NOT EXISTS (SELECT 1 FROM balance"                                \
      " WHERE balance.account = ledger.account AND balance.book = ledger.book)")                                       \
    X(SQL_AUDIT_OVERDRAWN, "SELECT 'L1: the live balance of account ' || account || ' is negative: ' || microcredits"  \
      " FROM balance WHERE book = 0 AND microcredits < 0")                                                             \
    X(SQL_AUDIT_RESERVATION, "SELECT 'L3: task ' || task.id || ' reserved ' || task.reserved || ', its entry in the '" \
      " || " BOOK_NAME("task.book") " || ' book reserves ' || coalesce(CAST(-entry.microcredits AS TEXT), 'nothing')"  \
      " FROM task LEFT JOIN ledger AS entry ON entry.account = task.account AND entry.task = task.id"                  \
      " AND entry.book = task.book AND entry.kind = 1 AND entry.kind IN (1, 2)"                                        \
      " WHERE entry.kind IS NULL OR entry.microcredits <> -task.reserved")                                             \
    X(SQL_AUDIT_SETTLEMENT, "SELECT 'L3: task ' || task.id || ' is final: of ' || task.reserved || ' reserved it was charged '" \
      " || task.charged || ' and refunded ' || task.refunded || '; its settlement in the ledger says '"                \
      " || coalesce(entry.charged || ' and ' || entry.microcredits, 'nothing')"                                        \
      " FROM task LEFT JOIN ledger AS entry ON entry.account = task.account AND entry.task = task.id"                  \
      " AND entry.book = task.book AND entry.kind = 2 AND entry.kind IN (1, 2)"                                        \
      " WHERE task.state IN (2, 3) AND (entry.kind IS NULL OR entry.charged <> task.charged"                           \
      " OR entry.microcredits <> task.refunded OR task.charged + task.refunded <> task.reserved)")                     \
    X(SQL_AUDIT_EARLY, "SELECT 'L3: task ' || task.id || ' is open, but was settled already'"                          \
      " FROM task JOIN ledger AS entry ON entry.account = task.account AND entry.task = task.id"                       \
      " WHERE task.state IN (0, 1) AND entry.kind = 2 AND entry.kind IN (1, 2)")                                       \
    X(SQL_AUDIT_STRAY, "SELECT 'L3: entry ' || sequence || ' of account ' || account || ' is of task ' || task"        \
      " || ', which does not exist' FROM ledger WHERE kind IN (1, 2)"                                                  \
      " AND NOT EXISTS (SELECT 1 FROM task WHERE task.account = ledger.account AND task.id = ledger.task)")            \
    X(SQL_AUDIT_STAMP, "SELECT 'T1: task ' || id || ' is in state ' || state || ' and its end is stamped '"            \
      " || finished_ms FROM task WHERE (state IN (2, 3)) <> (finished_ms > 0)")                                        \
    X(SQL_AUDIT_INPUT, "SELECT 'T2: open task ' || task.id || ' has lost its input' FROM task WHERE state IN (0, 1)"   \
      " AND input = ''"                                                                                                \
      " AND NOT EXISTS (SELECT 1 FROM task_input WHERE task_input.account = task.account AND task_input.task = task.id)") \
    X(SQL_AUDIT_USAGE, "SELECT 'L1: usage of account ' || account || ', key ' || api_key || ', model ' || model"        \
      " || ', day ' || day || ' is not the sum over its tasks' FROM"                                                   \
      " (SELECT account, day, api_key, book, model, tasks, completed, failed, charged, refunded, returned FROM usage"   \
      " UNION ALL SELECT task.account, " TASK_DAY ", api_key, book, model, -1,"                                        \
      " -(CASE state WHEN 2 THEN 1 ELSE 0 END), -(CASE state WHEN 3 THEN 1 ELSE 0 END), -charged, -refunded, 0"        \
      " FROM task UNION ALL SELECT ledger.account, " TASK_DAY ", api_key, task.book, model, 0, 0, 0, 0, 0,"            \
      " -microcredits FROM ledger JOIN task ON task.account = ledger.account AND task.id = ledger.task"                \
      " WHERE ledger.kind = 3 AND ledger.task <> '') AS sums"                                                          \
      " GROUP BY account, day, api_key, book, model HAVING sum(tasks) <> 0 OR sum(completed) <> 0"                     \
      " OR sum(failed) <> 0 OR sum(charged) <> 0 OR sum(refunded) <> 0 OR sum(returned) <> 0")                         \
    X(SQL_AUDIT_SPENDING, "SELECT 'L1: key ' || api_key || ' of account ' || account || ' was charged ' || charged"     \
      " || ' and has spent ' || spent || ', ' || day_spent || ' of it on its last day; its row says '"                 \
      " || coalesce(row_charged || ', ' || row_spent || ', ' || row_day_spent, 'nothing') FROM"                        \
      " (SELECT task.account, task.api_key, key_spending.charged AS row_charged, key_spending.spent AS row_spent,"     \
      " key_spending.day_spent AS row_day_spent, sum(task.charged) AS charged,"                                        \
      " sum(" TASK_SPENT " - " TASK_RETURNED ") AS spent,"                                                             \
      " sum(CASE WHEN " TASK_DAY " = key_spending.day THEN " TASK_SPENT " - " TASK_RETURNED " ELSE 0 END) AS day_spent" \
      " FROM task LEFT JOIN key_spending ON key_spending.account = task.account"                                       \
      " AND key_spending.api_key = task.api_key GROUP BY task.account, task.api_key, key_spending.charged,"            \
      " key_spending.spent, key_spending.day_spent) AS sums WHERE row_spent IS NULL OR row_spent <> spent"             \
      " OR row_charged <> charged OR row_day_spent <> day_spent")                                                      \
    X(SQL_AUDIT_SPACE, "SELECT 'S3: the files of account ' || account || ' have ' || bytes || ' bytes in '"            \
      " || files || ' files by its space, but ' || found_bytes || ' in ' || found_files FROM (SELECT account, bytes,"  \
      " files, (SELECT coalesce(sum(size), 0) FROM file WHERE file.account = file_space.account) AS found_bytes,"      \
      " (SELECT count(*) FROM file WHERE file.account = file_space.account) AS found_files FROM file_space) AS spaces" \
      " WHERE bytes <> found_bytes OR files <> found_files"                                                            \
      " UNION ALL SELECT 'S3: the inputs of account ' || account || ' have ' || inputs || ' bytes by its space, but '" \
      " || found FROM (SELECT account, inputs, (SELECT coalesce(sum(size), 0) FROM (SELECT DISTINCT hash, size"        \
      " FROM artifact WHERE artifact.account = file_space.account AND role = 0)) AS found FROM file_space) AS spaces"  \
      " WHERE inputs <> found")                                                                                        \
    X(SQL_AUDIT_SMALL, "SELECT 'B1: file ' || position || ' of task ' || task || ' has lost its bytes' FROM artifact"  \
      " WHERE small > 0 AND NOT EXISTS (SELECT 1 FROM small WHERE small.id = artifact.small)"                          \
      " UNION ALL SELECT 'S3: small file ' || id || ' is nobody''s' FROM small WHERE id NOT IN (SELECT small FROM artifact)")

enum sql {
#define X(id, text) id,
    SQL_TABLE(X)
#undef X
    SQL_COUNT
};
