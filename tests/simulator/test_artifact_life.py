"""Result files from their making to their end, and as inputs of the next task."""
import base64
import contextlib
import json
import re

import aftermath
from house import AUDIO, IMAGE, VIDEO, eventually

SHORT = "results = { ttl = 3600, small = 0 }\nsimulator = { seconds = 0 }"
LONG = "results = { small = 0 }\nsimulator = { seconds = 0 }"
MAPS = ["basecolor", "normal", "height"]


@contextlib.contextmanager
def held_back(server):
    """No local command is begun meanwhile."""
    with server.client(server.cli("admin-key", "create").strip()) as operator:
        assert operator.request("POST", "/admin/v1/providers/exec/pause").status == 200
        yield
        assert operator.request("POST", "/admin/v1/providers/exec/resume").status == 200


def test_a_url_ends_and_the_file_goes_but_not_anothers(make_server):
    server = make_server(SHORT).start()
    with server.client(server.key("one", test=True)) as one, server.client(server.key("two", test=True)) as two:
        shared = one.submit("phota-image", prompt="the same")
        alone = one.submit("phota-image", prompt="only here")
        shared_url = one.completed(shared)["results"][0]["url"]
        alone_url = one.completed(alone)["results"][0]["url"]
        body = one.download(shared_url).body
        assert body.startswith(b"\x89PNG") and server.blob(alone_url).exists()
        server.configure(LONG)
        server.reload()
        other_url = two.completed(two.submit("phota-image", prompt="the same"))["results"][0]["url"]
        assert two.download(other_url).body == body and server.blob(other_url) == server.blob(shared_url)
        assert server.blob(alone_url) != server.blob(shared_url)

        server.go_ahead(3700)
        for url in (shared_url, alone_url):
            answer = one.download(url)
            assert answer.status == 410 and answer.error()["code"] == "result_expired", answer
        eventually(lambda: not server.blob(alone_url).exists(), 100)
        eventually(lambda: server.shown(shared)["artifacts"] == [], 100)
        assert two.download(other_url).body == body
        assert one.task(alone)["status"] == "completed", "the task outlives its files"
        assert one.download(alone_url).status == 410


def test_a_small_file_goes_with_each_of_its_tasks(make_server):
    """It lies in the database with each of them."""
    server = make_server("results = { ttl = 3600 }\nsimulator = { seconds = 0 }").start()
    with server.client(server.key("one", test=True)) as one, server.client(server.key("two", test=True)) as two:
        tasks = [one.submit("phota-image", prompt="the same") for _ in range(2)]
        urls = [one.completed(task)["results"][0]["url"] for task in tasks]
        body = one.download(urls[0]).body
        assert body.startswith(b"\x89PNG") and server.small(urls[1]) == [body, body] and not server.blob(urls[0]).exists()
        server.configure("simulator = { seconds = 0 }")
        server.reload()
        other = two.completed(two.submit("phota-image", prompt="the same"))["results"][0]["url"]
        server.go_ahead(3700)
        eventually(lambda: [server.shown(task)["artifacts"] for task in tasks] == [[], []], 100)
        assert server.small(other) == [body] and two.download(other).body == body
        assert [one.download(url).status for url in urls] == [410, 410]
        assert aftermath.rows(server.data, "SELECT count(*) FROM small") == [(1,)], "nothing is left of the others"


def test_an_expired_url_is_no_input(make_server):
    server = make_server("results = { ttl = 1 }").start()
    with server.client(server.key("one", credits=100)) as client:
        url = client.completed(client.submit("local-image", prompt="x", image_size={"width": 64, "height": 64}))["results"][0]["url"]
        eventually(lambda: client.download(url).status == 410)
        answer = client.try_submit("local-pbr-maps", image_url=url, maps=["height"])
        if answer.status == 200:
            error = client.failed(answer.json()["id"])
            assert error["code"] == "resource_not_found" and "expired" in error["message"], error
        else:
            assert answer.status == 422 and answer.error()["param"] == "image_url", answer
        assert client.credits() == 99


def test_results_are_inputs_of_the_next_task(make_server):
    """A picture, its maps, a film of one of them: each by the URL that the task before gave."""
    server = make_server().start()
    with server.client(server.key("one", credits=100)) as client:
        picture = client.submit("local-image", prompt="blue marble", image_size={"width": 96, "height": 64})
        url = client.completed(picture)["results"][0]["url"]
        results = client.completed(client.submit("local-pbr-maps", image_url=url, maps=MAPS))["results"]
        assert [(r["result_type"], r["map_type"]) for r in results] == [("pbr_map", name) for name in MAPS]
        for result in results:
            assert client.download(result["url"]).body.startswith(b"\x89PNG")
        film = client.submit("local-image-to-video", VIDEO, image_url=results[1]["url"], duration=1)
        film_url = client.completed(film)["results"][0]["url"]
        assert client.download(film_url).body[4:8] == b"ftyp"
        # A film is no picture: said as such, before anything is taken.
        refused = client.try_submit("local-pbr-maps", image_url=film_url, maps=["height"])
        assert refused.status == 422 and refused.error()["param"] == "image_url", refused
        assert client.account() == {"remaining_credits": 97.5, "used_credits": 2.5}


def test_what_was_spoken_is_understood(make_server):
    """Speech by local-speech, handed on as a data URI and as a URL of ours."""
    server = make_server().start()
    with server.client(server.key("one", credits=100)) as client:
        spoken = client.submit("local-speech", AUDIO, prompt="Good morning. One, two, three.", speed=0.8)
        url = client.completed(spoken)["results"][0]["url"]
        sound = client.download(url)
        assert sound.body[:4] == b"RIFF" and sound.headers["Content-Type"].startswith("audio/")
        inline = "data:audio/wav;base64," + base64.b64encode(sound.body).decode()
        with held_back(server):
            heard = [client.submit("local-transcribe", AUDIO, audio_url=source) for source in (inline, url)]
            inputs = [a for a in server.shown(heard[0])["artifacts"] if a["role"] == "input"]
            assert [a["bytes"] for a in inputs] == [len(sound.body)]
        for task in heard:
            result = client.completed(task, 120)["results"][0]
            words = set(re.findall(r"[a-z]+", result["text"].lower()))
            assert words & {"one", "two", "three", "good", "morning"}, result
            times = [word["start"] for word in result["words"]]
            assert times == sorted(times) and all(word["end"] >= word["start"] for word in result["words"])


def test_anothers_url_can_be_used_by_whoever_has_it_and_a_forged_one_by_nobody(make_server):
    server = make_server().start()
    with server.client(server.key("one", credits=10)) as one, server.client(server.key("two", credits=10)) as two:
        url = one.completed(one.submit("local-image", prompt="x", image_size={"width": 64, "height": 64}))["results"][0]["url"]
        assert two.completed(two.submit("local-pbr-maps", image_url=url, maps=["height"]))
        forged = url[:-1] + ("A" if url[-1] != "A" else "B")
        answer = two.try_submit("local-pbr-maps", image_url=forged, maps=["height"])
        # Not ours by its signature, so a URL like any other; and our own address is none to fetch from.
        if answer.status == 200:
            assert "image_url" in two.failed(answer.json()["id"])["message"]
        else:
            assert answer.status == 422, answer
        assert two.credits() == 9


def test_an_input_disappears_with_its_time_and_not_before_its_task_has_ended(make_server):
    """Inline inputs are files of the task until the task needs them no more."""
    server = make_server().start()
    with server.client(server.key("one", credits=10)) as client:
        picture = client.completed(client.submit("local-image", prompt="x", image_size={"width": 64, "height": 64}))
        body = client.download(picture["results"][0]["url"]).body
        inline = "data:image/png;base64," + base64.b64encode(body).decode()
        with held_back(server):
            task = client.submit("local-pbr-maps", IMAGE, image_url=inline, maps=["height"])
            artifacts = {a["role"]: a for a in server.shown(task)["artifacts"]}
            assert artifacts["input"]["media_type"] == "image/png"
        client.completed(task)
        assert json.dumps(client.task(task)).count(artifacts["input"]["hash"]) == 0, "an input is not part of the answer"
