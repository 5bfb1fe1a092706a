"""The copy of the data that README tells how to make, while the server runs and works: a server goes on from it."""
import re
import shutil
import subprocess
import threading

from house import GATE, HELD_S, ROOT, VIDEO, Client, eventually, saying_model

SETTINGS = "drain = 0\nsimulator = { seconds = 0 }\ngroups = { default = { concurrency = 50, requests_per_minute = 0 } }"
MODELS, COMMANDS = saying_model("gate", "per_call(7)", HELD_S), {"gate": GATE}


class Busy(threading.Thread):
    """Submits all the time."""

    def __init__(self, server, key):
        super().__init__(daemon=True)
        self.client, self.ended, self.done = Client(server, key), threading.Event(), []

    def run(self):
        while not self.ended.is_set():
            task = self.client.submit("seedance-2.0-text-to-video", VIDEO, prompt="a fox")
            self.done.append((task, self.client.completed(task)["results"][0]["url"]))

    def finish(self):
        self.ended.set()
        self.join(60)


def copy(server, folder):
    """As README says."""
    command = re.search(r'`(sqlite3\s+data/fennec\.db "\.backup copy\.db")`', (ROOT / "README.md").read_text())[1]
    subprocess.run(" ".join(command.split()), shell=True, check=True, cwd=server.directory)
    shutil.copytree(server.data / "blobs", folder / "blobs")
    (server.directory / "copy.db").rename(folder / "fennec.db")


def test_a_server_goes_on_from_a_copy(make_server, gates, tmp_path):
    server = make_server(SETTINGS, MODELS, COMMANDS).start()
    live, test = server.key("one", credits=100), server.key("two", test=True)
    busy, folder = Busy(server, test), tmp_path / "copy"
    folder.mkdir()
    with server.client(live) as client:
        held = client.submit("gate", prompt=gates("a"))
        eventually(lambda: client.status(held) == "processing")
        busy.start()
        eventually(lambda: len(busy.done) >= 5)
        before = list(busy.done)
        copy(server, folder)
        busy.finish()
    server.stop()

    again = make_server(SETTINGS, MODELS, COMMANDS, data=folder).start()
    with again.client(live) as client, again.client(test) as tester:
        assert client.credits() == 93
        for task, url in before:
            assert tester.status(task) == "completed"
            shown = again.client(None).get(url.split(server.address, 1)[1])
            assert shown.status == 200 and shown.body[4:8] == b"ftyp"
        gates.open("a")
        assert client.completed(held)["usage"]["credits_charged"] == 7
        tester.completed(tester.submit("seedance-2.0-text-to-video", VIDEO, prompt="another fox"))
    assert [one["status"] for one in again.ledger_findings()] == ["ok"]
