"""What must be true of a data directory after whatever happened to its servers: looks at the database and the files, and the
checks that the crash test and the fault tests share."""
import collections
import contextlib
import hashlib
import json
import pathlib
import sqlite3
import subprocess
import time

PATIENCE_S = 60
COMPLETED, FAILED = 2, 3


@contextlib.contextmanager
def database(data):
    with contextlib.closing(sqlite3.connect(f"file:{data}/fennec.db?mode=ro", uri=True)) as db:
        yield db


def rows(data, statement, *values):
    with database(data) as db:
        return db.execute(statement, values).fetchall()


def open_tasks(data):
    return rows(data, "SELECT count(*) FROM task WHERE state < 2")[0][0]


def states(data):
    """Each task's state and error."""
    return {task: (state, error) for task, state, error in rows(data, "SELECT id, state, error FROM task")}


# -- files

def blobs_on_disk(data):
    return {path.parent.name + path.name: path for path in (pathlib.Path(data) / "blobs").glob("??/*")}


def claimed_blobs(data):
    return {row[0] for row in rows(data, "SELECT hash FROM artifact WHERE small = 0 UNION SELECT hash FROM file")}


def orphans(data):
    return set(blobs_on_disk(data)) - claimed_blobs(data)


def assert_blobs_are_whole(data):
    """Everything claimed is there, with the bytes that its name says."""
    stored = blobs_on_disk(data)
    for digest in claimed_blobs(data):
        assert hashlib.sha256(stored[digest].read_bytes()).hexdigest() == digest
    for digest, size, content in rows(data, "SELECT hash, size, bytes FROM artifact JOIN small ON small.id = artifact.small"):
        assert hashlib.sha256(content).hexdigest() == digest and len(content) == size


def assert_nothing_left_over(data):
    """No blob that nobody claims, no half-written file, no directory and no process of a command, whose guard ends a moment after
    its last word."""
    assert orphans(data) == set()
    for folder in ("work", "blobs/tmp"):
        path = pathlib.Path(data) / folder
        assert not path.exists() or list(path.iterdir()) == []
    end = time.monotonic() + PATIENCE_S
    while running := subprocess.run(["pgrep", "-a", "-f", f"{data}/"], capture_output=True, text=True).stdout:
        assert time.monotonic() < end, running
        time.sleep(0.05)


# -- tasks

def assert_acknowledged_tasks_are_final(data, acknowledged):
    known = states(data)
    assert [task for task in acknowledged if task not in known] == [], "lost"
    assert [task for task in acknowledged if known[task][0] not in (COMPLETED, FAILED)] == []


def assert_every_task_ended_once(data):
    ends = dict(rows(data, "SELECT task, count(*) FROM event WHERE kind IN ('completed', 'failed', 'cancelled') GROUP BY task"))
    assert [task for task in states(data) if ends.get(task) != 1] == []


def assert_no_input_is_left(data):
    assert rows(data, "SELECT count(*) FROM task_input")[0][0] == 0
    assert rows(data, "SELECT count(*) FROM task WHERE input <> ''")[0][0] == 0


# -- money

def assert_ledgers_sum(data, fennec, by_use=()):
    """Of tasks that have all ended, and were charged all or nothing, or by use where their model is one of those."""
    books = rows(data, "SELECT b.account, b.book, b.microcredits, (SELECT coalesce(sum(l.microcredits), 0) FROM ledger l"
                       " WHERE l.account = b.account AND l.book = b.book) FROM balance b")
    assert books and all(balance == total for _, _, balance, total in books)
    entries = collections.defaultdict(list)
    for task, kind, amount in rows(data, "SELECT task, kind, microcredits FROM ledger WHERE task <> ''"):
        entries[task].append((kind, amount))
    tasks = rows(data, "SELECT id, model, state, reserved, charged, refunded FROM task")
    for task, model, state, reserved, charged, refunded in tasks:
        assert reserved == charged + refunded and charged <= reserved, task
        assert model in by_use or charged == (reserved if state == COMPLETED else 0), task
        assert sorted(kind for kind, _ in entries[task]) == sorted(set(kind for kind, _ in entries[task])), task
        assert sum(amount for _, amount in entries[task]) == -charged, task
    doctor = subprocess.run([fennec, "doctor", "--data", str(data), "--json"], capture_output=True, text=True)
    assert [row["status"] for row in json.loads(doctor.stdout) if row["what"] == "ledger"] == ["ok"], doctor.stdout


# -- a paid service that takes every job for good

def jobs_by_prompt(service):
    jobs = collections.defaultdict(list)
    for job in list(service.jobs.values()):
        jobs[job.input["prompt"]].append(job.id)
    return jobs


def assert_no_job_is_made_twice(service):
    """A second one for the same prompt, which is its task's alone, would be a second bill."""
    assert {prompt: ids for prompt, ids in jobs_by_prompt(service).items() if len(ids) > 1} == {}
