"""callback_url, result_ttl and dry_run: what every submission may say beside the task itself."""
import time

import pytest

from catalogue import ENDPOINTS, IMAGE, MODELS, PIXEL, VIDEO
from client import eventually
from conftest import CONFIG

GENERATIONS, COMPLETIONS, TWIN = "/v1/llm/generations", "/v1/chat/completions", "/v1/llm_async/chat/completions"
CHAT = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "hi"}]}
MEDIA = {"model": "seedance-2.0-text-to-video", "prompt": "a fox"}
SUBMISSIONS = [(VIDEO, MEDIA), (GENERATIONS, CHAT), (TWIN, CHAT)]
CALLS = [(COMPLETIONS, CHAT), (GENERATIONS, {**CHAT, "sync": True})]
IDS = ["media", "llm", "twin"]
WEEK = 7 * 86400


@pytest.mark.parametrize("endpoint, body", SUBMISSIONS, ids=IDS)
@pytest.mark.parametrize("url, code", [
    (5, "invalid_type"), (["https://example.com/x"], "invalid_type"), (True, "invalid_type"),
    ("", "invalid_url"), ("example.com", "invalid_url"), ("/relative", "invalid_url"), ("ftp://example.com/", "invalid_url"),
    ("http://example.com/x", "invalid_url"), ("https://", "invalid_url"), ("https:///x", "invalid_url"),
    ("https://user:secret@example.com/", "invalid_url"), ("https://user@example.com/", "invalid_url"),
    ("https://example.com/#x", "invalid_url"), ("https://example.com/a b", "invalid_url"),
    ("https://example.com/a\nb", "invalid_url"), ("https://example.com/a\x7fb", "invalid_url"),
    ("https://example.com:0/", "invalid_url"), ("https://example.com:65536/", "invalid_url"),
    ("https://127.0.0.1/x", "invalid_url"), ("https://127.1/x", "invalid_url"), ("https://2130706433/", "invalid_url"),
    ("https://0x7f.1/", "invalid_url"), ("https://10.0.0.1:8443/", "invalid_url"), ("https://169.254.169.254/", "invalid_url"),
    ("https://[::1]/", "invalid_url"), ("https://[::ffff:10.0.0.1]/", "invalid_url"), ("https://[fe80::1]/", "invalid_url"),
    ("https://localhost/", "invalid_url"), ("https://a.localhost/", "invalid_url"),
    ("https://example.com/" + "x" * 2029, "too_long"),
])
def test_a_callback_url_that_cannot_be_called(tester, endpoint, body, url, code):
    response = tester.post(endpoint, {**body, "callback_url": url})
    assert response.status == 422, response
    error = response.error()
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", code, "callback_url"), error
    assert "secret" not in error["message"]


@pytest.mark.parametrize("endpoint, body", SUBMISSIONS, ids=IDS)
@pytest.mark.parametrize("options", [
    {"callback_url": "https://example.com/hook?a=b&c=%20"}, {"callback_url": "https://example.com/" + "x" * 2028},
    {"callback_url": "HTTPS://EXAMPLE.com:8443"}, {"callback_url": None, "result_ttl": None, "dry_run": None},
    {"result_ttl": 1}, {"result_ttl": WEEK}, {"result_ttl": 60.0}, {"dry_run": False},
], ids=["query", "longest", "port", "null", "least", "most", "real", "not-dry"])
def test_options_that_are_taken(tester, endpoint, body, options):
    assert tester.submit(endpoint, {**body, **options})["status"] == "pending"


@pytest.mark.parametrize("endpoint, body", SUBMISSIONS, ids=IDS)
@pytest.mark.parametrize("field, value, code", [
    ("result_ttl", 0, "out_of_range"), ("result_ttl", -1, "out_of_range"), ("result_ttl", WEEK + 1, "out_of_range"),
    ("result_ttl", 2 ** 62, "out_of_range"), ("result_ttl", 1.5, "invalid_type"), ("result_ttl", "60", "invalid_type"),
    ("result_ttl", True, "invalid_type"), ("result_ttl", 1e300, "invalid_type"), ("result_ttl", [60], "invalid_type"),
    ("dry_run", 1, "invalid_type"), ("dry_run", "true", "invalid_type"), ("dry_run", {}, "invalid_type"),
])
def test_other_options_that_are_refused(tester, endpoint, body, field, value, code):
    response = tester.post(endpoint, {**body, field: value})
    assert response.status == 422, response
    error = response.error()
    assert (error["code"], error["param"]) == (code, field), error


def test_the_operator_says_what_may_be_called_and_for_how_long(make_server):
    server = make_server(CONFIG + 'callbacks = { allow_http = true }\nfetch = { allow = { "127.0.0.1:9", "[::1]:9" } }\n'
                                  "results = { ttl = 60, ttl_max = 120 }\n")
    with server.client(server.key("one", test=True)) as client:
        for url in ("http://example.com/", "https://example.com/", "http://127.0.0.1:9/x", "https://[::1]:9/"):
            client.submit(VIDEO, {**MEDIA, "callback_url": url})
        for url in ("http://127.0.0.1:10/x", "http://127.0.0.1/", "http://localhost:9/"):
            response = client.post(VIDEO, {**MEDIA, "callback_url": url})
            assert (response.status, response.error()["code"]) == (422, "invalid_url"), url
        assert client.submit(VIDEO, {**MEDIA, "result_ttl": 120})
        response = client.post(VIDEO, {**MEDIA, "result_ttl": 121})
        assert response.status == 422 and "120" in response.error()["message"], response


@pytest.mark.parametrize("endpoint, body", CALLS, ids=["completions", "sync"])
@pytest.mark.parametrize("field, value", [("callback_url", "https://example.com/x"), ("result_ttl", 60)])
def test_a_call_is_answered_itself(tester, endpoint, body, field, value):
    for more in ({}, {"dry_run": True}):
        response = tester.post(endpoint, {**body, **more, field: value})
        assert response.status == 422, response
        error = response.error()
        assert (error["code"], error["param"]) == ("unknown_field", field), error


# ---- dry runs ----

@pytest.mark.parametrize("name", MODELS)
def test_a_dry_run_says_the_price_of_the_submission(tester, name):
    model = MODELS[name]
    estimate = tester.post(model.endpoint, model.body(name, dry_run=True))
    assert estimate.status == 200, estimate
    estimate = estimate.json()
    assert list(estimate) == ["object", "model", "usage"]
    assert (estimate["object"], estimate["model"]) == ("estimate", name)
    assert estimate["usage"] == tester.submit(model.endpoint, model.body(name))["usage"]


@pytest.mark.parametrize("endpoint, body", SUBMISSIONS[1:] + CALLS, ids=IDS[1:] + ["completions", "sync"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_dry_run_of_a_language_model(tester, endpoint, body, stream):
    estimate = tester.post(endpoint, {**body, "stream": stream, "dry_run": True, "max_tokens": 1000})
    assert estimate.status == 200, estimate
    assert estimate.headers["Content-Type"] == "application/json"
    assert list(estimate.json()) == ["object", "model", "usage"]
    usage = estimate.json()["usage"]
    assert usage["billing_rule"] == "per_token" and usage["credits_reserved"] > 0
    assert usage == tester.submit(TWIN, {**CHAT, "max_tokens": 1000})["usage"]


def test_a_dry_run_makes_nothing_and_needs_no_credits(make_server):
    server = make_server()
    with server.client(server.key("poor", credits=0)) as client:
        for endpoint, body in ((IMAGE, {"model": "local-image", "prompt": "x"}),
                               (IMAGE, {"model": "local-pbr-maps", "image_url": PIXEL, "maps": ["height"]})):
            assert client.post(endpoint, body).status == 402
            answer = client.post(endpoint, {**body, "dry_run": True})
            assert answer.status == 200 and answer.json()["usage"]["credits_reserved"] > 0, answer
        assert client.credits() == 0
    with server.client(server.key("rich", credits=50)) as client:
        files = blobs(server)
        answer = client.post(IMAGE, {"model": "local-pbr-maps", "image_url": PIXEL,
                                     "maps": ["height"], "dry_run": True})
        assert answer.status == 200, answer
        assert client.credits() == 50
        eventually(lambda: blobs(server) <= files)
    assert server.cli("task", "list", "--json").strip() == "[]"


def blobs(server):
    return {path for path in (server.data / "blobs").rglob("*") if path.is_file()}


@pytest.mark.parametrize("changes, code, param", [
    ({"image_url": "data:image/png;base64,AAAA"}, "invalid_url", "image_url"),
    ({"image_url": "data:image/png;base64,"}, "invalid_url", "image_url"),
    ({"maps": ["smell"]}, "not_allowed_value", "maps[0]"),
    ({"no_such_field": 1}, "unknown_field", "no_such_field"),
])
def test_a_dry_run_is_refused_as_the_submission_would_be(live, changes, code, param):
    body = {"model": "local-pbr-maps", "image_url": "https://example.com/x.png", "maps": ["height"], **changes}
    said = []
    for dry_run in (True, False):
        response = live.post(IMAGE, {**body, "dry_run": dry_run})
        assert response.status == 422, response
        said.append(response.error())
    assert said[0] == said[1] and (said[0]["code"], said[0]["param"]) == (code, param), said


def test_a_dry_run_by_the_wrong_endpoint(tester):
    for endpoint in ENDPOINTS.values():
        response = tester.post(endpoint, {"model": "no-such-model", "dry_run": True})
        assert (response.status, response.error()["code"]) == (422, "model_not_found")


# ---- result_ttl ----

def test_each_result_lives_as_long_as_its_client_asked(make_server):
    server = make_server(CONFIG + "simulator = { seconds = 0 }\nresults = { ttl = 3600 }\n")
    with server.client(server.key("one", test=True)) as client:
        tasks = {ttl: client.completed(IMAGE, {"model": "phota-image", "prompt": f"for {ttl}",
                                               **({"result_ttl": ttl} if ttl else {})}) for ttl in (1, None, 100000)}
        now = time.time()
        expiry = {ttl: int(task["results"][0]["url"].split("expires=")[1].split("&")[0]) for ttl, task in tasks.items()}
        for ttl, seconds in ((1, 1), (None, 3600), (100000, 100000)):
            # in whole seconds, and never early
            assert tasks[ttl]["created"] <= expiry[ttl] - seconds < now + 1, (ttl, expiry, tasks)
        url = tasks[1]["results"][0]["url"]
        assert eventually(lambda: client.download(url).status == 410)
        for ttl in (None, 100000):
            assert client.download(tasks[ttl]["results"][0]["url"]).status == 200
