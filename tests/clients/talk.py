"""Real clients, which live in Node: they are told what to do by talk.mjs, and this tells it."""
import contextlib
import json
import pathlib
import subprocess

FOLDER = pathlib.Path(__file__).parent


class Talk:
    """One client; not for several threads."""

    def __init__(self, process, client):
        self.process, self.client = process, client

    def begin(self, url, command, key="fake-key", **argument):
        """Tells what to do, and does not wait for it: `events` and `end` do."""
        line = {"client": self.client, "command": command, "url": url, "key": key, "argument": argument}
        print(json.dumps(line), file=self.process.stdin, flush=True)
        return self

    def line(self):
        line = self.process.stdout.readline()
        assert line, "the client has died"
        return json.loads(line)

    def event(self):
        """The next thing that happens on the way."""
        line = self.line()
        assert "event" in line, line
        return line["event"]

    def end(self):
        """{"value": …} or {"error": …}, past the rest of what happens on the way."""
        while "event" in (line := self.line()):
            pass
        return line

    def __call__(self, url, command, key="fake-key", **argument):
        return self.begin(url, command, key, **argument).end()

    def value(self, *arguments, **more):
        said = self(*arguments, **more)
        assert "value" in said, said
        return said["value"]

    def error(self, *arguments, **more):
        said = self(*arguments, **more)
        assert "error" in said, said
        return said["error"]


@contextlib.contextmanager
def open_client(client):
    assert (FOLDER / "node_modules").is_dir(), f"the clients are not installed: npm ci --prefix {FOLDER}"
    with subprocess.Popen(["node", "talk.mjs"], cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as process:
        yield Talk(process, client)
        process.stdin.close()
        assert process.wait(60) == 0
