"""An operator at the command line while servers come and go: gives credits and makes keys, and knows what the books must say.

A command that was refused says so, and is given again: the same credits under the same reference, which are booked once."""
import os
import subprocess
import threading

import aftermath as after

MICRO = 10 ** 6
PAUSE_S = 0.05
# A look for leaks is a third of a command's time, and tests/cli has it for all of them.
ENVIRONMENT = {**os.environ, "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}


class Bookkeeper(threading.Thread):
    """Works as long as its block goes on, whose end says what it died of. `credits` and `keys` are how many were told to be
    done."""

    def __init__(self, fennec, data, account="books"):
        super().__init__(daemon=True)
        self.fennec, self.data, self.account = fennec, data, account
        self.stopped, self.credits, self.keys, self.refusals, self.failure = threading.Event(), 0, 0, [], None

    def command(self, *words):
        """Whether it says that it is done; one that fails says why, and is no crash."""
        run = subprocess.run([self.fennec, *words, "--data", str(self.data)], env=ENVIRONMENT, capture_output=True, text=True,
                             timeout=after.PATIENCE_S, check=False)
        if run.returncode != 0:
            assert run.returncode == 1 and run.stderr.strip() and "Sanitizer" not in run.stderr, (words, run)
            self.refusals.append(run.stderr.strip())
        return run.returncode == 0

    def work(self):
        while not self.command("account", "create", self.account) and not self.stopped.is_set():
            pass
        while not self.stopped.wait(PAUSE_S):
            reference = f"book-{self.credits}"
            while not self.command("account", "credit", self.account, "1", "--reference", reference):
                if self.stopped.is_set():
                    return
            self.credits += 1
            self.keys += self.command("key", "create", "--account", f"{self.account}-{self.keys}", "--credits", "3")

    def run(self):
        try:
            self.work()
        except BaseException as failure:  # pylint: disable=broad-except
            self.failure = failure

    def has_worked(self):
        """Whether both were done; also once it died, which the block's end tells."""
        return self.failure or (self.credits > 0 and self.keys > 0)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, *_):
        self.stopped.set()
        self.join(after.PATIENCE_S)
        if kind:  # that is told
            return
        assert not self.is_alive(), "a command hangs"
        if self.failure:
            raise self.failure
        print(f"{self.credits} credits and {self.keys} keys given, {len(self.refusals)} commands refused: {self.refusals[:3]}")

    def assert_booked(self):
        """What was told to be done is, once; a last command of each kind may have been refused and booked all the same."""
        balances = dict(after.rows(self.data, "SELECT account.name, sum(balance.microcredits) FROM account"
                                              " LEFT JOIN balance ON balance.account = account.id GROUP BY account.id"))
        assert self.credits > 0 and self.keys > 0, "it came to nothing"
        assert balances[self.account] in (self.credits * MICRO, (self.credits + 1) * MICRO)
        mine = {name: amount for name, amount in balances.items() if name.startswith(self.account + "-")}
        assert {amount for amount in mine.values()} == {3 * MICRO} and len(mine) in (self.keys, self.keys + 1), mine
        keys = after.rows(self.data, "SELECT count(*) FROM api_key JOIN account ON account.id = api_key.account"
                                     " WHERE account.name LIKE ?", self.account + "-%")
        assert keys == [(len(mine),)]
