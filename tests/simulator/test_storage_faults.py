"""A disk that is full or may not be written, a database from the future, a data directory that is in use already."""
import base64
import contextlib
import http.client
import os
import shutil
import sqlite3
import subprocess

import pytest

from house import FENNEC, GATE, HELD_S, Answer, Threads, eventually, file_model, left_in, saying_model

MODELS = saying_model("gate", "per_call(2)", HELD_S)
SETTINGS = "simulator = { seconds = 0.2 }"


def mount(*words):
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("a file system of its own can be mounted by root alone")
    done = subprocess.run(["mount", *words], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"mount {' '.join(words)}: {done.stderr.strip()}")


@pytest.fixture
def small_disk(tmp_path):
    """Twelve megabytes, and a way to fill and to free them."""
    directory = tmp_path / "disk"
    directory.mkdir()
    mount("-t", "tmpfs", "-o", "size=12m,mode=0700", "fennec-test", str(directory))
    yield directory
    subprocess.run(["umount", "-l", str(directory)], check=True)


def fill(directory):
    """To the last byte."""
    with open(directory / "ballast", "ab", buffering=0) as ballast, contextlib.suppress(OSError):
        while True:
            ballast.write(b"x" * 65536)
    with open(directory / "ballast", "ab", buffering=0) as ballast, contextlib.suppress(OSError):
        while True:
            ballast.write(b"x" * 512)


def long_name(path):
    """Of the same file."""
    directory, name = path.rsplit("/", 1)
    return f"{directory}{'/.' * 250}/{name}"


def test_a_full_disk_refuses_the_new_and_keeps_the_old(small_disk, make_server, gates):
    server = make_server(SETTINGS, MODELS, {"gate": GATE}, data=small_disk / "data").start()
    server.errors_expected = True
    live, test = server.key("one", credits=1000), server.key("two", test=True)
    with server.client(live) as client, server.client(test) as tester:
        held = [client.submit("gate", prompt=gates("it")) for _ in range(3)]
        eventually(lambda: client.status(held[0]) == "processing")
        drawn = [tester.submit("phota-image", prompt=f"fennec:slow=1 {i}", num_outputs=2) for i in range(3)]
        accepted = len(server.listed("one"))
        fill(small_disk)

        # Whatever was accepted on the last free bytes counts as accepted, those that a failed try to store leaves as well.
        def refused():
            answer = client.try_submit("gate", prompt=long_name(gates("it")))
            if answer.status == 200:
                held.append(answer.json()["id"])
                return None
            assert answer.status == 503 and answer.error()["type"] == "service_unavailable", answer
            assert int(answer.headers["Retry-After"]) > 0
            return answer

        eventually(lambda: all([refused() for _ in range(6)]))
        assert client.get("/healthz").status == 200

        def unready():
            refused()
            answer = client.get("/readyz")
            return answer if answer.status == 503 else None

        assert eventually(unready).json()["reason"] == "the store cannot be written"
        assert client.task(held[0])["status"] == "processing", "what can be read is answered"
        gates.open("it")  # the commands end now, and their ends cannot be written
        eventually(lambda: "store cannot be written" in server.log_text())
        assert [client.status(i) for i in held if client.status(i) == "failed"] == []
        assert client.credits() == 1000 - 2 * len(held)

        (small_disk / "ballast").unlink()
        eventually(lambda: client.get("/readyz").status == 200)
        assert accepted <= len(held)
        for task in held:
            client.completed(task)
        for task in drawn:
            for result in tester.completed(task)["results"]:
                assert tester.download(result["url"]).status == 200
        assert client.completed(client.submit("gate", prompt=gates("it")))


# Its second attempt waits for the file that the prompt names.
GREEDY = """#!/usr/bin/python3
import json, os, sys, time
gate = json.load(sys.stdin)["input"]["prompt"]
if os.path.exists(gate + "-tried"):
    while not os.path.exists(gate):
        time.sleep(0.05)
    print('result {"said":"done"}')
    sys.exit(0)
open(gate + "-tried", "w").close()
try:
    with open("out.bin", "wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
except OSError:
    print("error image_processing_error The image could not be processed.")
    sys.exit(1)
"""


def test_a_command_that_finds_no_room_does_not_blame_the_image(small_disk, make_server, gates):
    models = saying_model("greedy", timeout=HELD_S)
    server = make_server(SETTINGS, models, {"greedy": GREEDY}, data=small_disk / "data").start()
    server.errors_expected = True
    (small_disk / "ballast").write_bytes(bytes(4 << 20))
    with server.client(server.key("one", credits=10)) as client:
        task = client.submit("greedy", prompt=gates("room"))
        eventually(lambda: "attempt failed" in server.log_text() or "store cannot be written" in server.log_text())
        gates.open("room")
        (small_disk / "ballast").unlink()
        assert client.completed(task), "it is tried again, and then there is room"
    assert "resource_exhausted" in server.log_text() and "image_processing_error" not in server.log_text()


def test_a_command_that_fills_the_disk_ends_by_itself(small_disk, make_server):
    """Its own files are what fills it, so they go before its end is written."""
    greedy = "#!/bin/sh\ncat >/dev/null\ncat /dev/zero >out.bin 2>/dev/null\nexit 1\n"
    server = make_server(SETTINGS, file_model("greedy"), {"greedy": greedy}, data=small_disk / "data").start()
    server.errors_expected = True  # the store, while nothing fits any more
    with server.client(server.key("one", credits=10)) as client:
        client.failed(client.submit("greedy"))
        assert client.credits() == 10
        assert client.get("/healthz").status == 200


def test_a_server_that_stops_on_a_full_disk_loses_nothing(small_disk, make_server, gates):
    server = make_server(SETTINGS + "\ndrain = 1", MODELS, {"gate": GATE}, data=small_disk / "data").start()
    server.errors_expected = True
    key = server.key("one", credits=1000)
    with server.client(key) as client:
        held = [client.submit("gate", prompt=gates("it")) for _ in range(3)]
        eventually(lambda: client.status(held[0]) == "processing")
        fill(small_disk)
        eventually(lambda: client.try_submit("gate", prompt=long_name(gates("it"))).status == 503)
        gates.open("it")
        eventually(lambda: "store cannot be written" in server.log_text())
    assert server.stop() == 0
    (small_disk / "ballast").unlink()
    server.start()
    with server.client(key) as client:
        assert all(client.completed(i) for i in held)
        assert all(client.final(task["id"]) for task in server.listed("one"))


def test_a_start_on_a_full_disk_says_so(small_disk, make_server):
    server = make_server(SETTINGS, data=small_disk / "data")
    fill(small_disk)
    words = server.refused()
    assert "full" in words and "free some space" in words, words
    (small_disk / "ballast").unlink()
    server.start()


def test_an_inline_file_that_finds_no_room_is_refused(small_disk, make_server):
    """The task might still fit, its input does not."""
    server = make_server(data=small_disk / "data").start()
    server.errors_expected = True
    with server.client(server.key("one", credits=10)) as client:
        # A picture of a megabyte, of the kind that the first bytes say.
        inline = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + os.urandom(1 << 20)).decode()
        fill(small_disk)
        with open(small_disk / "ballast", "r+b") as ballast:
            ballast.truncate(os.path.getsize(small_disk / "ballast") - 300000)
        answer = client.try_submit("local-pbr-maps", image_url=inline, maps=["height"])
        assert answer.status == 503 and answer.headers["Retry-After"], answer
        assert client.credits() == 10 and left_in(server.data / "blobs" / "tmp") == []
        (small_disk / "ballast").unlink()
        assert client.try_submit("local-pbr-maps", image_url=inline, maps=["height"]).status == 200
        eventually(lambda: server.listed("one")[0]["status"] == "failed")  # it only began like a picture


def test_the_command_line_on_a_full_disk_says_so(small_disk, make_server):
    server = make_server(SETTINGS, data=small_disk / "data").start()
    server.errors_expected = True
    key = server.key("one", test=True)
    fill(small_disk)
    for _ in range(200):  # until the log has used up its last page
        run = subprocess.run([FENNEC, "account", "credit", "one", "1", "--data", str(server.data), "--note", "x" * 200],
                             capture_output=True, text=True)
        if run.returncode != 0:
            break
    assert run.returncode == 1 and "is full" in run.stderr and "could not be stored" in run.stderr, run.stderr
    (small_disk / "ballast").unlink()
    with server.client(key) as client:
        assert client.completed(client.submit("phota-image", prompt="x"))


def test_a_disk_that_fills_and_empties_under_load(small_disk, make_server):
    server = make_server("simulator = { seconds = 0 }\ngroups = { default = { requests_per_minute = 0 } }", MODELS,
                         {"gate": GATE}, data=small_disk / "data").start()
    server.errors_expected = True
    accepted, statuses = [], set()

    def submit(client, stopped):
        while not stopped.is_set():
            answer = client.try_submit("gate", prompt="y" * 200)
            statuses.add(answer.status)
            if answer.status == 200:
                accepted.append(answer.json()["id"])

    key = server.key("load", test=True)
    load = Threads(server, key, 2, submit)
    for _ in range(3):
        seen = len(accepted)
        eventually(lambda: len(accepted) > seen + 10)
        fill(small_disk)
        statuses.clear()
        eventually(lambda: 503 in statuses)
        (small_disk / "ballast").unlink()
        seen = len(accepted)
    load.stop()
    assert statuses <= {200, 503}
    with server.client(key) as client:
        assert all(client.final(i)["status"] == "completed" for i in accepted)
    assert sorted(task["id"] for task in server.listed("load")) == sorted(accepted)


def test_a_read_only_data_directory_is_a_sentence(tmp_path, make_server):
    directory = tmp_path / "disk"
    directory.mkdir()
    mount("-t", "tmpfs", "-o", "size=12m", "fennec-test", str(directory))
    try:
        server = make_server(SETTINGS, data=directory / "data").start()
        assert server.stop() == 0
        subprocess.run(["mount", "-o", "remount,ro", str(directory)], check=True)
        words = server.refused()
        assert str(server.data) in words and "write" in words and len(words.strip().splitlines()) == 1, words
        subprocess.run(["mount", "-o", "remount,rw", str(directory)], check=True)
        server.start()
        assert server.stop() == 0
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)


def test_a_file_where_the_data_directory_should_be(tmp_path, make_server):
    (tmp_path / "file").write_text("not a directory")
    words = make_server(SETTINGS, data=tmp_path / "file").refused()
    assert "not a directory" in words and str(tmp_path / "file") in words


def test_a_database_of_a_newer_version_is_left_alone(make_server):
    server = make_server(SETTINGS).start()
    assert server.stop() == 0
    with contextlib.closing(sqlite3.connect(server.data / "fennec.db")) as database:
        version = database.execute("PRAGMA user_version").fetchone()[0]
        database.execute(f"PRAGMA user_version = {version + 1}")
    words = server.refused()
    assert "newer" in words and len(words.strip().splitlines()) == 1, words
    with contextlib.closing(sqlite3.connect(server.data / "fennec.db")) as database:
        assert database.execute("PRAGMA user_version").fetchone()[0] == version + 1
        database.execute(f"PRAGMA user_version = {version}")
    server.start()


def test_a_file_that_is_no_database_is_left_alone(make_server):
    server = make_server(SETTINGS)
    server.data.mkdir()
    (server.data / "fennec.db").write_bytes(b"These are the diaries of the operator.\n" * 200)
    words = server.refused()
    assert "fennec.db" in words and len(words.strip().splitlines()) == 1, words
    assert (server.data / "fennec.db").read_bytes().startswith(b"These are the diaries")
    (server.data / "fennec.db").unlink()


def test_the_second_server_on_a_data_directory_names_the_first(make_server):
    server = make_server(SETTINGS).start()
    words = server.refused()
    assert f"process {server.process.pid}" in words and str(server.data) in words, words
    with server.client(server.key("one", test=True)) as client:
        assert client.completed(client.submit("phota-image", prompt="x")), "the first goes on"
    assert server.kill() == -9
    server.start()  # what a killed one leaves is no lock


def test_a_full_disk_takes_no_files_and_keeps_nothing_of_them(small_disk, make_server):
    server = make_server(SETTINGS, data=small_disk / "data").start()
    server.errors_expected = True
    boundary = "a-boundary"
    form = (f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'.encode() +
            os.urandom(2 << 20) + f"\r\n--{boundary}--\r\n".encode())

    def upload(client):
        connection = http.client.HTTPConnection(server.address, timeout=60)
        with contextlib.closing(connection):
            connection.request("POST", "/v1/files/upload/stream", form, {
                "Content-Type": f"multipart/form-data; boundary={boundary}", "Authorization": f"Bearer {client.key}"})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())

    with server.client(server.key("one")) as client:
        file = upload(client).json()
        fill(small_disk)
        answer = upload(client)
        assert answer.status == 503 and answer.error()["code"] == "storage_unavailable", answer
        assert int(answer.headers["Retry-After"]) > 0
        eventually(lambda: not list((small_disk / "data" / "blobs" / "tmp").iterdir()))
        assert len(list((small_disk / "data" / "blobs").glob("??/*"))) == 1
        assert client.get(f"/v1/files/{file['id']}").status == 200
        (small_disk / "ballast").unlink()
        eventually(lambda: upload(client).status == 200)
