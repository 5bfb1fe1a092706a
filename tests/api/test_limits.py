"""What a key, an account and a group may ask: requests per minute, and which models."""
import json
import re
import time

import pytest

from client import Raw, eventually

IMAGE = "/v1/images/generations"
SMALL = {"model": "phota-image", "prompt": "a fox"}
CHAT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}]}

RATES = """
simulator = { seconds = 0.1 }
groups = {
  default = { requests_per_minute = 0 },
  slow    = { requests_per_minute = 6 },
  crowd   = { requests_per_minute = 0, group_requests_per_minute = 8 },
}
"""


def standing(response):
    return tuple(int(response.headers[f"RateLimit-{name}"]) for name in ("Limit", "Remaining", "Reset"))


def refused(response):
    """What a 429 must be, and the seconds that it says to wait."""
    error = response.error()
    assert response.status == 429, response
    assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
    assert re.fullmatch("[1-9][0-9]*", response.headers["Retry-After"]), response.headers
    return int(response.headers["Retry-After"]), error["message"]


def metric(server, name):
    with server.client() as client:
        lines = client.get("/metrics").body.decode().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(name + " ")))


@pytest.fixture
def rated(make_server):
    return make_server(RATES)


def within_a_second(*requests):
    """The answers, one after the other; None when they took longer, in which time more may be asked."""
    began = time.monotonic()
    answers = [request() for request in requests]
    return answers if time.monotonic() - began < 1 else None


@pytest.fixture
def at_once(make_server):
    """A fresh server and what `ask` has of it within a second. On a busy machine it may take some servers."""
    def run(ask):
        server = make_server(RATES)
        with server.client() as client:
            client.get("/healthz")  # with it comes the description, which takes a while
        answers = ask(server)
        return answers and (server, answers)
    return lambda ask: eventually(lambda: run(ask))


def test_without_a_limit_nothing_is_said_of_one(rated):
    with rated.client(rated.key("free", test=True)) as client:
        answer = client.get("/v1/models")
        assert answer.status == 200 and not [name for name in answer.headers if "ratelimit" in name.lower()]


def test_a_keys_own_limit_comes_before_its_accounts(at_once):
    def ask(server):
        narrow = server.key("studio", credits=100, group="slow", requests_per_minute=2)
        with server.client(narrow) as client, server.client(server.key("studio")) as twin:
            return within_a_second(*[lambda: client.post(IMAGE, SMALL), lambda: client.get("/v1/models")] * 2,
                                   *[lambda: twin.get("/v1/models")] * 5)

    rated, (first, second, third, fourth, *twins) = at_once(ask)
    assert first.status in (200, 422) and second.status == 200
    assert standing(first)[:2] == (2, 1) and standing(second)[:2] == (2, 0)
    assert 29 <= standing(first)[2] <= 30 and 59 <= standing(second)[2] <= 60
    wait_s, message = refused(third)
    assert wait_s <= 30 and "key's limit of 2" in message
    assert standing(fourth)[:2] == (2, 0)
    # The two that were refused took nothing from the account: 6 less 2, and these.
    assert [standing(answer)[:2] for answer in twins[:4]] == [(6, 3), (6, 2), (6, 1), (6, 0)]
    assert "account's limit of 6" in refused(twins[4])[1]
    assert metric(rated, 'fennec_rate_limited_total{scope="key"}') == 2
    assert metric(rated, 'fennec_rate_limited_total{scope="account"}') == 1


def test_a_groups_limit_is_all_its_accounts_together(at_once):
    def ask(server):
        keys = [server.key(name, test=True, group="crowd") for name in ("one", "two")]
        with server.client(keys[0]) as one, server.client(keys[1]) as two, \
                server.client(server.key("other", test=True)) as other:
            return within_a_second(*[lambda: one.get("/v1/models"), lambda: two.get("/v1/models")] * 4,
                                   *[lambda client=client: client.post(IMAGE, SMALL) for client in (one, two, other)])

    rated, answers = at_once(ask)
    assert [standing(answer)[1] for answer in answers[:8]] == [7, 6, 5, 4, 3, 2, 1, 0]
    for answer in answers[8:10]:
        assert "group's limit of 8" in refused(answer)[1]
    assert answers[10].status == 200
    assert rated.cli("task", "list", "--account", "one", "--json").strip() == "[]"
    assert metric(rated, 'fennec_rate_limited_total{scope="group"}') == 2


def test_what_openais_clients_read(at_once):
    def ask(server):
        with server.client(server.key("studio", test=True, group="slow")) as client:
            return within_a_second(lambda: client.post("/v1/chat/completions", {**CHAT, "model": "no-such-model"}),
                                   *[lambda: client.get("/v1/models")] * 5,
                                   lambda: client.post("/v1/chat/completions", CHAT))

    _, (first, *others, last) = at_once(ask)
    values = [first.headers[f"x-ratelimit-{name}-requests"] for name in ("limit", "remaining", "reset")]
    assert values[:2] == ["6", "5"] and re.fullmatch("9s|10s", values[2]), values
    for answer in others:
        assert not [name for name in answer.headers if name.lower().startswith("x-ratelimit")]
    refused(last)
    assert last.headers["x-ratelimit-remaining-requests"] == "0"
    assert re.fullmatch("59s|1m0s", last.headers["x-ratelimit-reset-requests"])


def test_a_keys_calls_at_a_time(rated):
    """A call cannot wait its turn as a task does, so what is more is refused; other keys have places of their own."""
    narrow, wide = rated.key("studio", test=True, concurrency=2), rated.key("studio", test=True)
    quick = {**CHAT, "model": "ollama/any-name"}
    ask = {**quick, "messages": [{"role": "user", "content": "fennec:rate=1 fennec:tokens=5000"}]}
    with rated.client(narrow) as client, rated.client(wide) as other:
        running = []
        for _ in range(2):
            running.append(Raw(rated))
            body = json.dumps({**ask, "stream": True})
            running[-1].send(f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {narrow}\r\n"
                             f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}")
            assert b" 200 " in running[-1].read_line(), "it has its place"
        answer = client.post("/v1/chat/completions", quick)
        assert answer.status == 429, answer
        assert answer.error()["code"] == "too_many_streams" and "API key has its 2 calls" in answer.error()["message"]
        assert answer.headers["Retry-After"] == "1"
        assert other.post("/v1/chat/completions", quick).status == 200
        for raw in running:
            raw.__exit__()
        eventually(lambda: client.post("/v1/chat/completions", quick).status == 200)


def test_a_request_without_a_valid_key_counts_for_nobody(rated):
    with rated.client("sk-test-" + "0" * 48) as stranger, rated.client() as nobody:
        for client in (stranger, nobody):
            answer = client.get("/v1/models")
            assert answer.status == 401 and "RateLimit-Limit" not in answer.headers


# ---- models ----

MODELS = """
simulator = { seconds = 0.1 }
groups = {
  default = { requests_per_minute = 0 },
  images  = { requests_per_minute = 0, models = { "phota-*", "gpt-4o-mini" } },
  nothing = { requests_per_minute = 0, models = {} },
}
"""


def listed(client, path="/v1/models"):
    return [model["id"] for model in client.get(path).json()["data"]]


@pytest.fixture
def choosy(make_server):
    return make_server(MODELS)


def test_a_model_that_the_group_may_not_use_is_refused(choosy):
    with choosy.client(choosy.key("some", test=True, group="images")) as some, \
            choosy.client(choosy.key("all", test=True)) as everyone, \
            choosy.client(choosy.key("none", test=True, group="nothing")) as none:
        other = next(name for name in listed(everyone) if name.startswith("seedance-") and "text-to-video" in name)
        assert some.post(IMAGE, SMALL).status == 200
        answer = some.post("/v1/videos/generations", {"model": other, "prompt": "a fox"})
        error = answer.error()
        assert answer.status == 403
        assert (error["type"], error["code"], error["param"]) == ("permission_error", "model_not_allowed", "model")
        assert other in error["message"]
        assert everyone.post("/v1/videos/generations", {"model": other, "prompt": "a fox"}).status == 200
        assert none.post(IMAGE, SMALL).error()["code"] == "model_not_allowed"
        # What does not exist is not forbidden.
        assert some.post(IMAGE, {"model": "no-such-model"}).error()["code"] == "model_not_found"
    assert len(json.loads(choosy.cli("task", "list", "--account", "some", "--json"))) == 1
    assert json.loads(choosy.cli("task", "list", "--account", "none", "--json")) == []


def test_only_what_may_be_used_is_listed(choosy):
    with choosy.client(choosy.key("some", test=True, group="images")) as some, \
            choosy.client(choosy.key("all", test=True)) as everyone, \
            choosy.client(choosy.key("none", test=True, group="nothing")) as none:
        whole = listed(everyone)
        wanted = [name for name in whole if name.startswith("phota-") or name == "gpt-4o-mini"]
        assert listed(some) == wanted and 1 < len(wanted) < len(whole)
        assert listed(none) == []
        assert listed(none, "/v1/configs/llm_generations_models") == []


def test_language_models_have_their_own_word_for_it(choosy):
    with choosy.client(choosy.key("some", test=True, group="images")) as some, \
            choosy.client(choosy.key("all", test=True)) as everyone, \
            choosy.client(choosy.key("none", test=True, group="nothing")) as none:
        name = next(iter(listed(everyone, "/v1/configs/llm_generations_models")))
        for path, body in (("/v1/chat/completions", {**CHAT, "model": name, "max_tokens": 10}),
                           ("/v1/llm/generations", {"model": name, "prompt": "Hello", "max_tokens": 10})):
            assert everyone.post(path, body).status == 200
            for client in (none, *([some] if name != "gpt-4o-mini" else [])):
                answer = client.post(path, body)
                assert answer.status == 422, answer
                assert (answer.error()["code"], answer.error()["param"]) == ("no_available_model", "model")


def test_a_reload_opens_models(choosy):
    import signal
    from client import eventually
    with choosy.client(choosy.key("none", test=True, group="nothing")) as client:
        assert client.post(IMAGE, SMALL).status == 403
        choosy.config.write_text(MODELS.replace("models = {} ", 'models = { "*" } '))
        choosy.process.send_signal(signal.SIGHUP)
        eventually(lambda: client.post(IMAGE, SMALL).status == 200)
