"""GET /v1/tasks/{task_id}: the contract, byte for byte."""
import json
import re
import time

import pytest

from catalogue import AUDIO, IMAGE, VIDEO
from client import TASK_ID, eventually

UNKNOWN = "task-unified-1757165031-uyujaw3d"


def submit_seedance(client, prompt, **more):
    return client.submit(VIDEO, {"model": "seedance-2.0-text-to-video", "prompt": prompt, "duration": 4, **more})


def signed_url(base):
    return base + r"/v1/artifacts/[0-9a-f]{64}/[A-Za-z0-9._-]+\?expires=[0-9]+&signature=[A-Za-z0-9_-]{43}"


def assert_golden(body, golden, url=None):
    """`golden` is the text as it must be, with URL where a signed URL stands."""
    pattern = re.escape(golden)
    if url is not None:
        pattern = pattern.replace("URL", url)
    assert re.fullmatch(pattern, body.decode()), body.decode() + "\n" + golden


def test_completed_video(server, tester):
    made = submit_seedance(tester, "a fox", seed=7)
    tester.finished(made["id"])
    assert_golden(
        tester.get(f"/v1/tasks/{made['id']}").body,
        '{"id":"%s","object":"video.generation.task","type":"video","model":"seedance-2.0-text-to-video",'
        '"status":"completed","progress":100,"created":%d,"results":[{"url":"URL","seed":7}],"error":null,'
        '"usage":{"credits_reserved":20,"user_group":"default","credits_charged":20,"credits_refunded":0,'
        '"billing_rule":"per_second"}}' % (made["id"], made["created"]),
        signed_url(f"http://{server.address}"))


def test_completed_without_a_url(tester):
    made = tester.submit(VIDEO, {"model": "sora-2-character", "video_url": "https://example.com/a.mp4", "name": "Ada \"L\" é"})
    task = tester.finished(made["id"])
    character = task["results"][0]["character_id"]
    assert character
    assert_golden(
        tester.get(f"/v1/tasks/{made['id']}").body,
        '{"id":"%s","object":"video.generation.task","type":"video","model":"sora-2-character","status":"completed",'
        '"progress":100,"created":%d,"results":[{"character_id":"%s","name":"Ada \\"L\\" é"}],"error":null,'
        '"usage":{"credits_reserved":0,"user_group":"default","credits_charged":0,"credits_refunded":0,'
        '"billing_rule":"per_call"}}' % (made["id"], made["created"], character))


def test_failed(tester):
    made = submit_seedance(tester, "fennec:error=content_policy_violation")
    task = tester.finished(made["id"])
    assert_golden(
        tester.get(f"/v1/tasks/{made['id']}").body,
        '{"id":"%s","object":"video.generation.task","type":"video","model":"seedance-2.0-text-to-video",'
        '"status":"failed","progress":%d,"created":%d,"results":null,'
        '"error":{"code":"content_policy_violation","message":%s,"type":"task_error"},'
        '"usage":{"credits_reserved":20,"user_group":"default","credits_charged":0,"credits_refunded":20,'
        '"billing_rule":"per_second"}}'
        % (made["id"], task["progress"], made["created"], json.dumps(task["error"]["message"], ensure_ascii=False)))
    assert 0 <= task["progress"] < 100


def test_processing_and_pending(server):
    """One task of the account runs and never ends; the next ones wait behind it, each in its place."""
    with server.client(server.key("one-at-a-time", test=True, group="narrow")) as client:
        first = submit_seedance(client, "fennec:never")
        eventually(lambda: client.task(first["id"])["progress"] >= 90)
        second = submit_seedance(client, "a fox")
        third = submit_seedance(client, "a fox")
        eventually(lambda: all("queue_position" in client.task(task["id"])["task_info"] for task in (second, third)))
        assert_golden(
            client.get(f"/v1/tasks/{first['id']}").body,
            '{"id":"%s","object":"video.generation.task","type":"video","model":"seedance-2.0-text-to-video",'
            '"status":"processing","progress":%d,"created":%d,"results":null,"error":null,'
            '"usage":{"credits_reserved":20,"user_group":"narrow","credits_charged":0,"credits_refunded":0,'
            '"billing_rule":"per_second"}}' % (first["id"], client.task(first["id"])["progress"], first["created"]))
        for task, position in ((second, 1), (third, 2)):
            assert_golden(
                client.get(f"/v1/tasks/{task['id']}").body,
                '{"id":"%s","object":"video.generation.task","type":"video","model":"seedance-2.0-text-to-video",'
                '"status":"pending","progress":0,"created":%d,"results":null,"error":null,'
                '"usage":{"credits_reserved":20,"user_group":"narrow","credits_charged":0,"credits_refunded":0,'
                '"billing_rule":"per_second"},"task_info":{"can_cancel":true,"estimated_time":90,"queue_position":%d}}'
                % (task["id"], task["created"], position))


@pytest.mark.parametrize("endpoint, body, kind", [
    (IMAGE, {"model": "phota-image", "prompt": "x"}, "image"),
    (VIDEO, {"model": "seedance-2.0-text-to-video", "prompt": "x"}, "video"),
    (AUDIO, {"model": "scribe-v2", "audio_url": "https://example.com/a.mp3"}, "audio"),
])
def test_object_follows_type(tester, endpoint, body, kind):
    task = tester.completed(endpoint, body)
    assert task["type"] == kind
    assert task["object"] == f"{kind}.generation.task"


def test_created_is_the_time_of_the_submission(tester):
    before = int(time.time())
    made = submit_seedance(tester, "a fox")
    assert before <= made["created"] <= int(time.time())
    assert TASK_ID.match(made["id"])
    assert made["id"].split("-")[2] == str(made["created"])


def test_same_answer_from_the_board_and_from_the_store(make_server):
    one = make_server()
    key = one.key("someone", test=True)
    with one.client(key) as client:
        made = submit_seedance(client, "a fox")
        client.finished(made["id"])
        before = client.get(f"/v1/tasks/{made['id']}").json()
        address = one.address
    assert one.stop() == 0
    one.start()
    with one.client(key) as client:
        after = client.get(f"/v1/tasks/{made['id']}").json()
    assert after["results"][0].pop("url").replace(one.address, address) == before["results"][0].pop("url")
    assert after == before


def test_result_urls_begin_with_the_requests_host(server, tester):
    made = submit_seedance(tester, "a fox")
    tester.finished(made["id"])
    body = tester.get(f"/v1/tasks/{made['id']}", {"Host": "media.example.com:8443"}).json()
    assert body["results"][0]["url"].startswith("http://media.example.com:8443/v1/artifacts/")
    forwarded = tester.get(f"/v1/tasks/{made['id']}", {"X-Forwarded-Host": "evil.example"}).json()
    assert forwarded["results"][0]["url"].startswith(f"http://{server.address}/")


@pytest.mark.parametrize("host", ["a b", "x/y", "u@h", 'a"b', "a\\b", "<script>"])
def test_a_host_that_is_none_is_refused(tester, host):
    response = tester.get(f"/v1/tasks/{UNKNOWN}", {"Host": host})
    assert response.status == 400
    assert response.error()["code"] == "invalid_request"


def test_public_url_comes_first(make_server):
    one = make_server('public_url = "https://media.example.com/x"\nsimulator = { seconds = 0 }')
    with one.client(one.key("someone", test=True)) as client:
        task = client.finished(submit_seedance(client, "a fox")["id"])
        assert task["results"][0]["url"].startswith("https://media.example.com/x/v1/artifacts/")


@pytest.mark.parametrize("value", ["true", "false", "1", "0"])
def test_sync_upstream_is_accepted(tester, value):
    made = submit_seedance(tester, "a fox")
    assert tester.get(f"/v1/tasks/{made['id']}?sync_upstream={value}").status == 200
    tester.finished(made["id"])
    assert tester.get(f"/v1/tasks/{made['id']}?sync_upstream={value}").json()["status"] == "completed"


@pytest.mark.parametrize("value", ["", "yes", "TRUE", "2", "true ", "null"])
def test_sync_upstream_is_a_boolean(tester, value):
    response = tester.get(f"/v1/tasks/{UNKNOWN}?sync_upstream={value.replace(' ', '%20')}")
    assert response.status == 422
    error = response.error()
    assert (error["type"], error["param"]) == ("invalid_request_error", "sync_upstream")


def test_unknown_parameters_mean_nothing(tester):
    made = submit_seedance(tester, "a fox")
    assert tester.get(f"/v1/tasks/{made['id']}?x=1&y=").status == 200


@pytest.mark.parametrize("task_id", [
    "x", "task-unified-1757165031", "task-unified-1757165031-uyujaw3", "task-unified-1757165031-uyujaw3dd",
    "task-unified-1757165031-UYUJAW3D", "task-unified--uyujaw3d", "task-unified-17x-uyujaw3d", "task-other-1757165031-uyujaw3d",
    "task-unified-01757165031-uyujaw3d", "%20" + UNKNOWN, UNKNOWN + "%20", "%C3%A9", "'%20OR%201=1", "a" * 3000,
])
def test_a_malformed_id_is_400(tester, task_id):
    response = tester.get(f"/v1/tasks/{task_id}")
    assert response.status == 400, response
    error = response.error()
    assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_task_id")


@pytest.mark.parametrize("task_id", [UNKNOWN, "task-llm-1757165031-uyujaw3d"])
def test_an_unknown_id_is_404(tester, task_id):
    response = tester.get(f"/v1/tasks/{task_id}")
    assert response.status == 404
    error = response.error()
    assert (error["type"], error["code"], error["param"]) == ("not_found", "task_not_found", None)


def test_another_accounts_task_is_404_like_one_that_never_existed(server, tester):
    made = submit_seedance(tester, "a fox")
    with server.client(server.key("stranger", test=True)) as stranger:
        theirs = stranger.get(f"/v1/tasks/{made['id']}")
        nobodys = stranger.get(f"/v1/tasks/{UNKNOWN}")
    assert (theirs.status, theirs.body) == (nobodys.status, nobodys.body)
    assert theirs.status == 404


def test_order_of_the_checks(anyone, tester):
    """The key first, then the id, then the parameters."""
    assert anyone.get("/v1/tasks/x?sync_upstream=x").status == 401
    assert tester.get("/v1/tasks/x?sync_upstream=x").status == 400
    assert tester.get(f"/v1/tasks/{UNKNOWN}?sync_upstream=x").status == 422
    assert tester.get(f"/v1/tasks/{UNKNOWN}?sync_upstream=1").status == 404


def test_head_is_get_without_the_body(tester):
    made = submit_seedance(tester, "a fox")
    tester.finished(made["id"])
    get = tester.get(f"/v1/tasks/{made['id']}")
    head = tester.request("HEAD", f"/v1/tasks/{made['id']}")
    assert head.status == 200
    assert head.body == b""
    assert head.headers["Content-Length"] == get.headers["Content-Length"]
