"""A command whose calls fail one by one, beside a server: it says so by its exit status or has done all of it, never half."""
import random
import signal
import subprocess

from faults import FENNEC, PATIENCE_S, Client, Control, NEVER, after
from test_calls import ERRORS, MAY_ABORT, ROUNDS, SEED, sample

CALLS_OF_IT = ("pwrite", "read", "fsync", "open", "close", "stat", "lock", "mmap", "malloc", "getrandom", "thread",
               "clock")
CREDITS = 7
FULL = "/dev/full"


class CommandLine:
    """`fennec key create` for an account of its own each time, under a control file of its own."""

    def __init__(self, stage):
        self.stage, self.control, self.number = stage, Control(stage.server.directory / "command"), 0
        self.environment = {**stage.server.environment, "FAULT_CONTROL": str(self.control.path)}
        self.err = stage.server.directory / "err"

    def create(self, place=None):
        """The account's name, the exit status, what was printed."""
        self.number += 1
        account = f"account-{self.number}"
        self.control.before_a_life()
        place = place or self.stage.server.directory / "out"
        with open(place, "wb") as out, open(self.err, "wb") as err:
            words = [FENNEC, "key", "create", "--account", account, "--credits", str(CREDITS), "--data",
                     str(self.stage.server.data), "--config", str(self.stage.server.config)]
            status = subprocess.run(words, stdout=out, stderr=err, timeout=PATIENCE_S, env=self.environment, check=False).returncode
        return account, status, "" if place == FULL else place.read_text()

    def counts(self):
        for call in CALLS_OF_IT:
            self.control.arm(call, NEVER, 0)
        account, status, out = self.create()
        self.assert_whole(account, status, out)
        assert status == 0
        return {call: self.control.disarm(call)[0] for call in CALLS_OF_IT}

    def assert_whole(self, account, status, out):
        """Account, key and credits, or nothing of them; and the key works if the command says so."""
        found = after.rows(self.stage.server.data,
                           "SELECT (SELECT count(*) FROM api_key WHERE account = account.id),"
                           " (SELECT sum(microcredits) FROM balance WHERE account = account.id),"
                           " (SELECT sum(microcredits) FROM ledger WHERE account = account.id)"
                           " FROM account WHERE name = ?", account)
        assert found in ([], [(1, CREDITS * 10 ** 6, CREDITS * 10 ** 6)]), (account, status, out, found)
        if status == 0:
            with Client(self.stage.server, out.strip()) as client:
                answer = client.get("/v1/account/credits")
                assert answer.status == 200 and answer.json()["data"]["user"]["remaining_credits"] == CREDITS, answer


def test_a_key_is_made_or_the_command_says_that_it_is_not(make_stage):
    generator = random.Random(SEED)
    print(f"FAULT_SEED={SEED}")
    line, struck, statuses = CommandLine(make_stage().start()), {}, {}
    counts = line.counts()
    print(counts)
    for call in CALLS_OF_IT:
        for number in sample(generator, counts[call], max(2, ROUNDS)):
            for error in ERRORS[call] if ROUNDS else [generator.choice(ERRORS[call])]:
                line.control.arm(call, number, error)
                account, status, out = line.create()
                struck[call] = struck.get(call, 0) + line.control.disarm(call)[1]
                said = line.err.read_text()
                statuses.setdefault(call, set()).add(status)
                assert status in (0, 1) or (call in MAY_ABORT and status == -signal.SIGABRT), (call, number, error, status, said)
                assert status != 1 or said, (call, number, error)
                line.assert_whole(account, status, out)
    assert line.create(FULL)[1] == 1, "nobody has seen the key"
    print(f"struck {struck}, statuses {statuses}")
    assert [call for call in CALLS_OF_IT if not struck.get(call)] == []
    line.stage.settle()
