"""POST /v1/tasks/{id}/renew: a result that is still stored is kept longer, with URLs that say so."""
import os
import threading
import time

import pytest

from catalogue import IMAGE, PIXEL
from client import Client, eventually
from conftest import CONFIG, PATIENT

SETTINGS = CONFIG + "simulator = { seconds = 0 }\nresults = { ttl = 3600, ttl_max = 100000 }\n"
MAPS = {"model": "patina-pbr-maps", "image_url": PIXEL, "maps": ["basecolor", "normal"]}


def renew(client, task, **body):
    return client.post(f"/v1/tasks/{task['id']}/renew", body or None)


def expiry(task):
    found = {int(result["url"].split("expires=")[1].split("&")[0]) for result in task["results"]}
    assert len(found) == 1, task
    return found.pop()


@pytest.fixture
def home(make_server):
    server = make_server(SETTINGS)
    with server.client(server.key("one", test=True)) as client:
        client.server = server
        yield client


def picture(client, prompt="x", **more):
    return client.completed(IMAGE, {"model": "phota-image", "prompt": prompt, **more})


def test_all_files_of_a_result_are_kept_longer(home):
    task = home.completed(IMAGE, MAPS)
    assert len(task["results"]) > 1
    answer = renew(home, task, result_ttl=50000)
    assert answer.status == 200, answer
    renewed = answer.json()
    assert 0 <= expiry(renewed) - time.time() - 50000 + 60 < 120
    assert home.task(task["id"]) == renewed
    assert {**renewed, "results": None} == {**task, "results": None}
    for old, new in zip(task["results"], renewed["results"]):
        assert {**old, "url": None} == {**new, "url": None} and old["url"] != new["url"]
        assert home.download(old["url"]).body == home.download(new["url"]).body
    shown = home.server.cli("task", "show", task["id"], "--json")
    assert '"renewed"' in shown, shown


def test_it_survives_a_restart(home):
    task = picture(home)
    renewed = renew(home, task, result_ttl=50000).json()
    home.server.process.kill()
    home.server.process.wait()
    home.server.process.stdout.close()
    home.server.start()
    with home.server.client(home.key) as client:
        after = client.task(task["id"])
        assert expiry(after) == expiry(renewed)
        assert client.download(after["results"][0]["url"]).status == 200


def test_nothing_ends_earlier(home):
    task = picture(home, result_ttl=90000)
    for body in ({}, {"result_ttl": 1}, {"result_ttl": None}):
        assert renew(home, task, **body).json() == home.task(task["id"]) == task


def test_without_a_wish_it_is_as_long_as_any_result(home):
    task = picture(home, result_ttl=100)
    assert 3500 < expiry(renew(home, task).json()) - time.time() < 3700


@pytest.mark.parametrize("body, code, param", [
    ({"result_ttl": 0}, "out_of_range", "result_ttl"), ({"result_ttl": 100001}, "out_of_range", "result_ttl"),
    ({"result_ttl": "60"}, "invalid_type", "result_ttl"), ({"ttl": 60}, "unknown_field", "ttl")])
def test_wishes_that_are_refused(home, body, code, param):
    task = picture(home)
    response = renew(home, task, **body)
    assert response.status == 422 and (response.error()["code"], response.error()["param"]) == (code, param), response
    assert home.task(task["id"]) == task


def test_what_has_no_result_has_none_to_renew(home):
    pending = home.submit(IMAGE, {"model": "phota-image", "prompt": "fennec:never"})
    response = renew(home, pending, result_ttl=60)
    assert (response.status, response.error()["code"]) == (409, "task_not_completed"), response
    failed = home.run(IMAGE, {"model": "phota-image", "prompt": "fennec:error=service_error"})
    assert failed["status"] == "failed", failed
    assert renew(home, failed, result_ttl=60).status == 409


def test_anothers_task_is_no_task(home):
    task = picture(home)
    with home.server.client(home.server.key("two", test=True)) as other:
        stranger = renew(other, task, result_ttl=60)
        nobody = other.post("/v1/tasks/task-unified-1757165031-uyujaw3d/renew", {"result_ttl": 60})
        assert (stranger.status, stranger.error()) == (nobody.status, nobody.error())
        assert (stranger.status, stranger.error()["code"]) == (404, "task_not_found")
    assert home.post("/v1/tasks/x/renew").error()["code"] == "invalid_task_id"
    assert home.task(task["id"]) == task


def test_a_result_without_files_is_kept_anyway(home):
    task = home.finished(home.post("/v1/llm/generations", {"model": "gpt-5.5", "prompt": "hi"}).json()["id"])
    assert task["status"] == "completed"
    assert renew(home, task, result_ttl=60).json() == home.task(task["id"])


def test_what_has_expired_is_gone(home):
    task = picture(home, result_ttl=1)
    url = task["results"][0]["url"]
    assert eventually(lambda: home.download(url).status == 410)
    response = renew(home, task, result_ttl=60)
    assert (response.status, response.error()["code"]) == (410, "result_expired"), response


@pytest.mark.skipif("FENNEC_CLOCK_SPEED" in os.environ, reason="sets it itself")
@pytest.mark.parametrize("small", ["0", "65536"])
def test_renewed_in_the_moment_it_expires_it_is_there_or_gone(make_server, monkeypatch, small):
    """An hour passes in two minutes, and the sweeper goes round: whoever was told that a file is renewed can fetch it. Who is
    held up may find all files gone, and tries once more."""
    monkeypatch.setenv("FENNEC_CLOCK_SPEED", "30")
    server = make_server(CONFIG + PATIENT + "simulator = { seconds = 0 }\n"
                         "results = { ttl = 60, ttl_max = 100000, small = " + small + " }\n")
    key = server.key("one", test=True)
    kept, gone = [], []

    def try_at(number, task, outcomes):
        with Client(server.address, key) as one:
            end = time.monotonic() + 4
            while time.monotonic() < end and one.download(task["results"][0]["url"]).status == 200 and number % 3 != 2:
                time.sleep(0.001 * (number % 5))
            outcomes.append((task, renew(one, task, result_ttl=100000)))

    def some_are_kept_and_some_gone():
        with server.client(key) as client:
            tasks = [picture(client, f"number {number} after {len(gone)}") for number in range(24)]
        outcomes = []
        threads = [threading.Thread(target=try_at, args=(number, task, outcomes)) for number, task in enumerate(tasks)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(outcomes) == len(tasks) and {answer.status for _, answer in outcomes} <= {200, 410}
        kept.extend(answer.json() for _, answer in outcomes if answer.status == 200)
        gone.extend(task for task, answer in outcomes if answer.status == 410)
        return kept and gone

    eventually(some_are_kept_and_some_gone)
    with server.client(key) as client:
        for task in gone:
            assert renew(client, task, result_ttl=60).status == 410
        sweeps = gone[0]["results"][0]["url"].split("/v1/artifacts/")[1].split("/")[0]
        eventually(lambda: not (server.data / "blobs" / sweeps[:2] / sweeps[2:]).exists(), 100)
        for task in kept:
            assert client.download(client.task(task["id"])["results"][0]["url"]).status == 200
