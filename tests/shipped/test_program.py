"""The program as it is installed, with the allocator that the sanitizers' builds are without."""
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import urllib.request

import pytest

FENNEC = os.environ.get("FENNEC", "build/fennec")


MODEL = """model "tells" {
    type = "image", summary = "Says a word", timeout = 60, price = per_call(1), params = { prompt = text{ default = "x" } },
    routes = { exec = { command = "tells" } },
    results = function(out) return { { said = out.said } } end,
}
"""


@contextlib.contextmanager
def running(folder, settings):
    """The process, and where it listens."""
    (folder / "config.lua").write_text(settings)
    process = subprocess.Popen([FENNEC, "serve", "--data", folder / "data", "--config", folder / "config.lua", "--listen", "127.0.0.1:0"],
                               stdout=subprocess.PIPE, text=True)
    try:
        said = process.stdout.readline()
        assert said.startswith("listening on ")
        yield process, said.split()[-1]
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
    finally:
        process.kill()
        process.wait()


def ask(url, key, body=None):
    request = urllib.request.Request(url, body and json.dumps(body).encode(),
                                     {"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


@pytest.mark.parametrize("function", ["malloc", "calloc", "realloc", "free"])
def test_the_program_and_its_libraries_have_one_allocator(tmp_path, function):
    """Only then may one free what another has made."""
    environment = {**os.environ, "LD_DEBUG": "bindings", "LD_DEBUG_OUTPUT": str(tmp_path / "said"), "LD_BIND_NOW": "1"}
    subprocess.run([FENNEC, "settings"], env=environment, check=True, stdout=subprocess.DEVNULL)
    said = "".join(path.read_text() for path in tmp_path.glob("said.*"))
    found = dict(re.findall(rf"binding file (\S+) \[0\] to (\S+) \[0\]: normal symbol `{function}'", said))
    takers = {pathlib.Path(taker).name.split(".so")[0]: pathlib.Path(giver).name for taker, giver in found.items()}
    assert {"fennec", "libcurl"} < set(takers)
    assert set(takers.values()) == {"libmimalloc.so.2"}, takers


def test_a_page_is_a_page(tmp_path):
    with running(tmp_path, "drain = 0") as (process, _):
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        assert re.search(r"^THP_enabled:\s+0$", status, re.M), status


def test_a_command_may_have_large_pages(tmp_path):
    for name in ("catalog/models", "libexec"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "catalog/models/tells.lua").write_text(MODEL)
    command = tmp_path / "libexec/tells"
    command.write_text("#!/bin/sh\nsed -n 's/^THP_enabled:[^0-9]*\\(.\\)$/result {\"said\": \"\\1\"}/p' /proc/self/status\n")
    command.chmod(0o755)
    with running(tmp_path, f'drain = 0\ncatalog = "{tmp_path / "catalog"}"\nlibexec = "{tmp_path / "libexec"}"\n') as (_, base):
        key = subprocess.run([FENNEC, "key", "create", "--data", tmp_path / "data", "--account", "someone", "--credits", "10"],
                             check=True, capture_output=True, text=True).stdout.strip()
        task = ask(f"{base}/v1/images/generations", key, {"model": "tells"})
        while task["status"] in ("pending", "processing"):
            task = ask(f"{base}/v1/tasks/{task['id']}?wait=30", key)
        assert task["results"] == [{"said": "1"}], task
