"""The program as it is installed, with the allocator that the sanitizers' builds are without."""
import os
import pathlib
import re
import signal
import subprocess

import pytest

FENNEC = os.environ.get("FENNEC", "build/fennec")


@pytest.fixture
def server(tmp_path):
    (tmp_path / "config.lua").write_text("drain = 0")
    process = subprocess.Popen([FENNEC, "serve", "--data", tmp_path / "data", "--config", tmp_path / "config.lua", "--listen", "127.0.0.1:0"],
                               stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline().startswith("listening on ")
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
    finally:
        process.kill()
        process.wait()


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


def test_a_page_is_a_page(server):
    status = pathlib.Path(f"/proc/{server.pid}/status").read_text()
    assert re.search(r"^THP_enabled:\s+0$", status, re.M), status
