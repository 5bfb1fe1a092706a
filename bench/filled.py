"""Stores with a thousand, a million, ten million tasks, as they have gathered in half a year: written straight into the
product's tables (filled.sql), made once and kept.

The largest of a thousand accounts has about three in a hundred of all tasks; 97 of a hundred tasks are completed, the others
failed; each has its entries in the ledger, its attempt and its timeline, so that the audit finds nothing wrong. Files are
left for the last fiftieth of the tasks, as if those of the others had expired. No task is open. Beyond a million tasks there
is no ledger, no timeline and no attempt: no query reads these, and they would take an hour and most of the disk.
"""
import base64
import hashlib
import pathlib
import random
import secrets
import shutil
import sqlite3
import sys
import time

from processes import ROOT, create_key

CACHE = pathlib.Path.home() / ".cache" / "fennec-bench"
SAMPLE = 300000 # tasks that are asked for: far more than the board keeps rendered (64 MiB, about a kilobyte each)
SPAN_MS = 182 * 86400 * 1000
KEPT_MS = 20 * 365 * 86400 * 1000 # for the files' rows: nothing may expire while the store lies in the cache
COMPLETE_MAX = 1000000 # tasks of a store that has everything
LAYOUT = 1 # of filled.sql; another one makes the stores anew


def schema_version():
    return len(list((ROOT / "sql").glob("[0-9]*.sql")))


def accounts_of(tasks):
    return min(1000, max(10, tasks // 100))


def add_accounts(store, count, start_ms):
    """All but the first, which the program has made; a key each, whose number is the account's."""
    keys = ["sk-live-" + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=") for _ in range(2, count + 1)]
    store.executemany('INSERT INTO account (id, name, "group", created_ms) VALUES (?, ?, ?, ?)',
                      ((number, f"account {number}", "default", start_ms) for number in range(2, count + 1)))
    store.executemany("INSERT INTO api_key (id, account, book, hash, prefix, name, created_ms, expires_ms, revoked_ms)"
                      " VALUES (?, ?, 0, ?, ?, '', ?, 0, 0)",
                      ((number, number, hashlib.sha256(key.encode()).digest(), key[:16], start_ms)
                       for number, key in enumerate(keys, 2)))
    return keys


def statements(tasks):
    parts = [part for part in (ROOT / "bench" / "filled.sql").read_text().split(";\n") if part.strip()]
    left_out = () if tasks <= COMPLETE_MAX else ("INTO event", "INTO attempt", "INTO ledger")
    return [part for part in parts if not any(table in part for table in left_out)]


def fill(path, keys, tasks):
    """Indexes are made at the end, which takes a fraction of keeping them."""
    start_ms = int(time.time() * 1000) - SPAN_MS - 86400000
    accounts = accounts_of(tasks)
    store = sqlite3.connect(path, isolation_level=None)
    for setting in "journal_mode = OFF", "synchronous = OFF", "cache_size = -1000000":
        store.execute(f"PRAGMA {setting}")
    store.execute("BEGIN")
    indexes = store.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL").fetchall()
    for name, _ in indexes:
        store.execute(f"DROP INDEX {name}")
    store.execute("DELETE FROM balance")
    keys += add_accounts(store, accounts, start_ms)
    values = {"tasks": tasks, "accounts": accounts, "start_ms": start_ms, "span_ms": SPAN_MS,
              "kept_until_ms": start_ms + KEPT_MS}
    for statement in statements(tasks):
        store.execute(statement, values)
    for _, sql in indexes:
        store.execute(sql)
    store.execute("COMMIT")
    store.execute("PRAGMA journal_mode = WAL")
    return store


def write_sample(store, path, keys, tasks):
    """A line a task: its id and its account's key. The first account's come first: it is the largest."""
    wanted = random.sample(range(1, tasks + 1), min(SAMPLE, tasks))
    with open(path, "w", encoding="ascii") as sample:
        for number in wanted:
            account, task = store.execute("SELECT account, id FROM task WHERE number = ?", (number,)).fetchone()
            sample.write(f"{task} {keys[account - 1]}\n")


def filled_store(tasks):
    """The folder of a store with so many tasks: `data` is the server's, `sample` has tasks to ask for. Not to be written to:
    what changes it works on a copy."""
    folder = CACHE / f"tasks-{tasks}-schema-{schema_version()}-layout-{LAYOUT}"
    if folder.exists():
        return folder
    print(f"making a store of {tasks:,} tasks, once", file=sys.stderr, flush=True)
    making = CACHE / f"{folder.name}.{secrets.token_hex(4)}"
    making.mkdir(parents=True)
    try:
        keys = [create_key(making)]
        store = fill(making / "data" / "fennec.db", keys, tasks)
        write_sample(store, making / "sample", keys, tasks)
        store.close()
        for old in CACHE.glob(f"tasks-{tasks}-*"):
            if old != making:
                shutil.rmtree(old)
        making.rename(folder)
    except BaseException:
        shutil.rmtree(making)
        raise
    return folder
