"""GET /v1/tasks: by ids, and by what tasks are, page by page."""
import contextlib
import json
import sqlite3

import pytest

from client import eventually

VIDEO, IMAGE, AUDIO = "/v1/videos/generations", "/v1/images/generations", "/v1/audios/generations"
UNKNOWN = "task-unified-1757165031-uyujaw3d"
FAIL = "fail:service_error"


@pytest.fixture(scope="module")
def shelf(server):
    """A key, and its account's tasks, newest first, as the task query answers them."""
    key = server.key("shelf", test=True)
    with server.client(key) as client:
        made = []
        for number in range(30):
            endpoint, body = [
                (IMAGE, {"model": "phota-image", "prompt": "x"}),
                (VIDEO, {"model": "seedance-2.0-text-to-video", "prompt": "x"}),
                (AUDIO, {"model": "scribe-v2", "audio_url": "https://example.com/a.mp3"})][number % 3]
            made.append(client.submit(endpoint, body)["id"])
        for task in made:
            client.finished(task)
        return key, [client.task(task) for task in reversed(made)]


@pytest.fixture
def client(server, shelf):
    with server.client(shelf[0]) as client:
        yield client


def listed(client, query=""):
    answer = client.get(f"/v1/tasks{query}")
    assert answer.status == 200, answer
    body = answer.json()
    assert list(body) == ["object", "data", "has_more", "next"] and body["object"] == "list"
    assert body["has_more"] == (body["next"] is not None)
    return body


def pages(client, query):
    """All that a list gives, page by page."""
    tasks, after = [], ""
    while True:
        body = listed(client, f"?{query}{after}")
        tasks += body["data"]
        if not body["has_more"]:
            return tasks
        after = f"&after={body['next']}"


def test_newest_first(client, shelf):
    assert listed(client)["data"] == shelf[1][:20]
    assert listed(client, "?limit=100") == {"object": "list", "data": shelf[1], "has_more": False, "next": None}


@pytest.mark.parametrize("limit", [1, 7, 15, 29, 30, 31])
def test_pages_have_each_task_once(client, shelf, limit):
    assert pages(client, f"limit={limit}") == shelf[1]


def test_a_page_stays_where_it_is_while_new_tasks_come(client, shelf):
    first = listed(client, "?limit=5")
    new = client.submit(IMAGE, {"model": "phota-image", "prompt": "x"})["id"]
    try:
        assert listed(client, f"?limit=5&after={first['next']}")["data"] == shelf[1][5:10]
        assert listed(client, "?limit=1")["data"][0]["id"] == new
    finally:
        shelf[1].insert(0, client.finished(new))


@pytest.mark.parametrize("query, fits", [
    ("type=image", lambda task: task["type"] == "image"),
    ("type=document", lambda task: False),
    ("model=scribe-v2", lambda task: task["model"] == "scribe-v2"),
    ("model=nothing-of-this-name", lambda task: False),
    ("status=completed", lambda task: task["status"] == "completed"),
    ("status=failed", lambda task: task["status"] == "failed"),
    ("status=pending", lambda task: False),
    ("status=processing", lambda task: False),
    ("status=completed&type=video&model=seedance-2.0-text-to-video", lambda task: task["type"] == "video"),
    ("type=video&model=scribe-v2", lambda task: False),
])
def test_filters(client, shelf, query, fits):
    expected = [task for task in shelf[1] if fits(task)]
    assert listed(client, f"?limit=100&{query}")["data"] == expected
    assert pages(client, f"limit=4&{query}") == expected


def test_open_and_failed_tasks(make_server):
    server = make_server("simulator = { seconds = 3600 }\ngroups = { default = { price = 1.0, concurrency = 1 } }")
    with server.client(server.key("someone", test=True)) as client:
        ids = [client.submit(IMAGE, {"model": "phota-image", "prompt": "x"})["id"] for _ in range(4)]
        eventually(lambda: client.task(ids[0])["status"] == "processing")
        client.post(f"/v1/tasks/{ids[2]}/cancel")

        def of(status):
            return [task["id"] for task in pages(client, f"limit=1&status={status}")]

        assert (of("processing"), of("pending"), of("failed"), of("completed")) == ([ids[0]], [ids[3], ids[1]], [ids[2]], [])
        assert listed(client, "?status=pending")["data"] == [client.task(ids[3]), client.task(ids[1])]
        assert listed(client, "?status=pending")["data"][1]["task_info"]["queue_position"] == 1


def multiply(server, task, rows):
    """The task's row again and again, with what `rows` say of each: (id, columns). While the server is down."""
    with contextlib.closing(sqlite3.connect(server.data / "fennec.db")) as database, database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(task)") if row[1] != "number"]
        names = ", ".join(f'"{name}"' for name in columns)
        row = dict(zip(columns, database.execute(f"SELECT {names} FROM task WHERE id = ?", (task,)).fetchone()))
        database.executemany(f"INSERT INTO task ({names}) VALUES ({', '.join('?' * len(columns))})",
                             ([{**row, "id": task_id, **more}[name] for name in columns] for task_id, more in rows))


def test_a_filter_that_few_meet_goes_through_so_many_rows_at_a_time(make_server):
    """One video behind 25,000 images: the first pages are empty, and each says where to go on."""
    server = make_server()
    with server.client(server.key("rich", test=True)) as client:
        video = client.submit("/v1/videos/generations", {"model": "seedance-2.0-text-to-video", "prompt": "x"})["id"]
        image = client.submit(IMAGE, {"model": "phota-image", "prompt": "x"})["id"]
        client.finished(video), client.finished(image)
    assert server.stop() == 0
    multiply(server, image, [(f"task-unified-1757165031-{number:08}", {}) for number in range(25000)])
    server.start()
    with server.client(client.key) as client:
        lengths, after, found = [], "", []
        while after is not None:
            page = client.get(f"/v1/tasks?type=video{after and '&after=' + after}").json()
            assert page["has_more"] == (page["next"] is not None)
            lengths.append(len(page["data"]))
            found += [task["id"] for task in page["data"]]
            after = page["next"]
        assert found == [video] and lengths == [0, 0, 1], "10,000 rows a page"
        assert len(client.get("/v1/tasks?type=image&limit=100").json()["data"]) == 100


def test_a_page_ends_after_so_many_bytes(make_server):
    """Ten tasks of a mebibyte: eight mebibytes are not passed, and the rest comes with the next page; also by ids. One that
    is longer is alone."""
    server = make_server()
    with server.client(server.key("wordy", test=True)) as client:
        small = client.submit(IMAGE, {"model": "phota-image", "prompt": "x"})["id"]
        client.finished(small)
    assert server.stop() == 0
    long = lambda size: {"results": json.dumps([{"url": "https://example.com/" + "x" * size}])}
    many = [f"task-unified-1757165031-{number:08}" for number in range(10)]
    multiply(server, small, [(one, long(1 << 20)) for one in many] + [("task-unified-1757165031-huuuuuge", long(9 << 20))])
    expected = ["task-unified-1757165031-huuuuuge", *many[::-1], small]
    server.start()
    with server.client(client.key) as client:
        for query in ("limit=100", "ids=" + ",".join(expected)):
            found, after = [], ""
            while after is not None:
                answer = client.get(f"/v1/tasks?{query}{after and '&after=' + after}")
                page = answer.json()
                assert len(answer.body) < (8 << 20) + 4096 or len(page["data"]) == 1
                found.append([task["id"] for task in page["data"]])
                after = page["next"]
            assert [one for page in found for one in page] == expected
            assert [len(page) for page in found] == [1, 7, 4], query


@pytest.mark.parametrize("query, param", [
    ("status=done", "status"), ("status=", "status"), ("type=x", "type"), ("type=", "type"), ("model=", "model"),
    ("model=" + "x" * 201, "model"), ("limit=0", "limit"), ("limit=101", "limit"), ("limit=-1", "limit"),
    ("limit=x", "limit"), ("limit=", "limit"), ("after=x", "after"), ("after=", "after"), (f"after={UNKNOWN}", "after"),
    ("ids=" + ",".join([UNKNOWN] * 101), "ids"), (f"ids={UNKNOWN}&status=failed", "status"),
    (f"ids={UNKNOWN}&limit=5", "limit"), (f"ids={UNKNOWN}&after=task-unified-1757165031-aaaaaaaa", "after"),
])
def test_parameters_are_checked(client, query, param):
    answer = client.get(f"/v1/tasks?{query}")
    assert answer.status == 422, answer
    assert (answer.error()["type"], answer.error()["param"]) == ("invalid_request_error", param)


@pytest.mark.parametrize("ids", ["", "x", f"{UNKNOWN},", f",{UNKNOWN}", f"{UNKNOWN},x", "a" * 3000])
def test_a_malformed_id_is_400(client, ids):
    answer = client.get(f"/v1/tasks?ids={ids}")
    assert answer.status == 400, answer
    assert (answer.error()["code"], answer.error()["param"]) == ("invalid_task_id", "ids")


def test_by_ids_in_the_order_asked(client, shelf):
    some = [shelf[1][place] for place in (7, 3, 20, 0, 11)]
    assert listed(client, "?ids=" + ",".join(task["id"] for task in some))["data"] == some
    twice = [some[0], some[1], some[0]]
    assert listed(client, "?ids=" + "%2C".join(task["id"] for task in twice))["data"] == some[:2]


def test_what_the_key_may_not_see_is_left_out(server, client, shelf):
    own = shelf[1][0]
    assert listed(client, f"?ids={UNKNOWN},{own['id']}")["data"] == [own]
    with server.client(server.key("elsewhere", test=True)) as stranger:
        assert listed(stranger, f"?ids={UNKNOWN},{own['id']}")["data"] == []
        assert listed(stranger)["data"] == []
        answer = stranger.get(f"/v1/tasks?after={own['id']}")
        assert (answer.status, answer.body) == (422, stranger.get(f"/v1/tasks?after={UNKNOWN}").body)


def test_a_hundred_ids(client, shelf):
    ids = [task["id"] for task in shelf[1]]
    ids += [f"task-unified-1757165031-{number:08d}" for number in range(100 - len(ids))]
    assert listed(client, "?ids=" + ",".join(ids))["data"] == shelf[1]


def test_a_list_needs_a_key(anyone):
    assert anyone.get("/v1/tasks").status == 401
