"""Services of language models in trouble: what a client is told, what another route makes good; and nothing is paid for
it."""
import base64
import itertools
import threading

import pytest
from services import anthropic, gemini, ollama, openai_chat
from services.chat import Say, Tool, Usage

import llm
from llm import COMPLETIONS, content_of, micro, model, price_of, read_until, route, said

DIALECTS = ["openai", "anthropic", "gemini", "ollama"]
PIECES = ("Der ", "schöne ", "Fuchs ", "🦊.")
TEXT = "".join(PIECES)
# An error of each service as it says it, by HTTP status.
ERRORS = {
    "openai": '{"error":{"message":"It was wrong.","type":"some_error","param":null,"code":null}}',
    "anthropic": '{"type":"error","error":{"type":"some_error","message":"It was wrong."}}',
    "gemini": '{"error":{"code":STATUS,"message":"It was wrong.","status":"SOME_ERROR"}}',
    "ollama": '{"error":"It was wrong."}',
}


def error_of(dialect, status, headers=""):
    return f"{status} {headers} {ERRORS[dialect].replace('STATUS', str(status))}"


@pytest.fixture(params=DIALECTS)
def dialect(request):
    return request.param


@pytest.fixture
def stage(make_stage, dialect):
    """One for each test, since services in trouble are left alone for a while."""
    stage = make_stage({dialect: llm.DIALECTS[dialect]()}, model(f"{dialect}-model", route(dialect)), speed=10)
    stage.server.start()
    return stage


@pytest.fixture
def service(stage, dialect):
    return stage.services[dialect]


def broken_answer(service, words, trouble):
    """An answer that breaks off after two pieces, once they were read: the gate to set then."""
    gate = threading.Event()
    service.when(words, Say(PIECES, stop_at=2, holds={2: gate}, **trouble))
    return gate


# -- answers that are fine, however they come

@pytest.mark.parametrize("manner", ["split", "bytes", "once", "pings", "lines", "crlf"])
def test_an_answer_may_be_cut_anywhere(stage, dialect, service, manner):
    words = service.when(f"cut anywhere {dialect} {manner}",
                         Say(PIECES, reasoning=("Hm.",), tools=(Tool("look", ('{"a": ', '"ö"}')),),
                                                                manner=manner))
    with stage.client() as client:
        body = {"model": f"{dialect}-model", "stream": True, **said(words)}
        with client.stream("POST", COMPLETIONS, body) as stream:
            *chunks, done = stream.events()
        assert content_of(chunks) == TEXT and done.data == "[DONE]"
        final = client.settled(stream.headers["X-Task-Id"])
        call, = final["results"][0]["choices"][0]["message"]["tool_calls"]
        assert call["function"]["arguments"].replace(" ", "") == '{"a":"ö"}'
        assert micro(final["usage"]["credits_charged"]) == price_of(Usage())


@pytest.mark.parametrize("dialect", ["openai", "anthropic"], indirect=True)
def test_the_last_word_may_be_missing_after_the_reason_for_the_end(stage, dialect, service):
    words = service.when(f"no last word {dialect}", Say(PIECES, done=False))
    with stage.client() as client:
        with client.stream("POST", COMPLETIONS, {"model": f"{dialect}-model", "stream": True, **said(words)}) as stream:
            *chunks, done = stream.events()
        assert content_of(chunks) == TEXT and done.data == "[DONE]"
        assert client.charged(stream.headers["X-Task-Id"]) == price_of(Usage())


@pytest.mark.parametrize("streams", [False, True])
def test_usage_may_be_missing(stage, dialect, service, streams):
    words = service.when(f"no usage {dialect} {streams}", Say(PIECES, usage=None))
    with stage.client() as client:
        task = client.settled(client.generate({"model": f"{dialect}-model", "stream": streams, **said(words)})["id"])
        told = task["results"][0]["usage"]
        assert told["estimated"] is True and told["completion_tokens"] > 0 and told["prompt_tokens"] > 0
        assert micro(task["usage"]["credits_charged"]) == price_of(llm.usage_told(task["results"][0])) == client.spent()


# -- failures in the middle of a stream

BREAKS = [{"ending": "error", "error": "It broke."}, {"ending": "cut"}, {"ending": "reset"}, {"ending": "close"},
          {"ending": "torn"}]


@pytest.mark.parametrize("trouble", BREAKS, ids=lambda one: one["ending"])
def test_a_stream_that_breaks_is_an_error_for_those_who_wait(stage, dialect, service, trouble):
    words = "it breaks"
    gate = broken_answer(service, words, trouble)
    with stage.client() as client:
        with client.stream("POST", COMPLETIONS, {"model": f"{dialect}-model", "stream": True, **said(words)}) as stream:
            chunks = read_until(stream, PIECES[1])
            gate.set()
            *more, error = stream.events()
        assert content_of(chunks + more) == "".join(PIECES[:2]) and stream.whole
        told = error.json()["error"]
        assert list(error.json()) == ["error"] and told["message"] and told["type"], told
        assert "It broke" not in told["message"], "a service's words about itself are the operator's"
        assert client.failed(stream.headers["X-Task-Id"]) and client.spent() == 0
    assert len(service.calls_with(words)) == 1, "it was asked again after the first chunk"


@pytest.mark.parametrize("trouble", BREAKS, ids=lambda one: one["ending"])
def test_a_stream_that_breaks_fails_its_task(stage, dialect, service, trouble):
    words = "it breaks"
    gate = broken_answer(service, words, trouble)
    with stage.client() as client:
        task = client.generate({"model": f"{dialect}-model", "stream": True, **said(words)})
        with client.follow(task) as stream:
            chunks = read_until(stream, PIECES[1])
            gate.set()
            *more, error = stream.events()
        assert (content_of(chunks + more), error.name) == ("".join(PIECES[:2]), "error")
        assert client.failed(task["id"])["message"] == error.json()["message"]
        assert client.spent() == 0
    assert len(service.calls_with(words)) == 1


# -- failures instead of an answer

@pytest.mark.parametrize("status, code",
                         [(400, "invalid_parameters"), (413, "invalid_parameters"), (422, "invalid_parameters")])
def test_a_refusal_of_the_request_is_its_senders(stage, dialect, service, status, code):
    words = service.when(f"refused {dialect} {status}", error_of(dialect, status))
    with stage.client() as client:
        body = {"model": f"{dialect}-model", **said(words)}
        error = client.failed(client.generate(body)["id"])
        assert error["code"] == code and "It was wrong." in error["message"], error
        http_status, told = client.refused(body)
        assert http_status in (400, 413, 422) and "It was wrong." in told["message"], (http_status, told)
        http_status, told = client.refused({**body, "stream": True})
        assert http_status in (400, 413, 422) and "It was wrong." in told["message"], (http_status, told)
        assert client.spent() == 0
    assert len(service.calls_with(words)) == 3, "a refused request was sent again"


@pytest.mark.parametrize("trouble", [
    "200 not-json-at-all", "truncated 200 {\"choices\": [], \"and\": \"more\"}",
    "200 <html><body>Sign in</body></html>",
    "200 []", "200 {}", "200",
])
@pytest.mark.parametrize("streams", [False, True])
def test_what_is_no_answer_is_a_failure(stage, dialect, service, trouble, streams):
    words = service.when(f"no answer {dialect} {trouble[:14]} {streams}", trouble)
    with stage.client() as client:
        client.failed(client.generate({"model": f"{dialect}-model", "stream": streams, **said(words)})["id"])
        assert client.spent() == 0


@pytest.mark.parametrize("streams", [False, True])
def test_an_error_under_200_is_an_error(stage, dialect, service, streams):
    """Ollama does not say whose fault it is, so its words are the operator's, and a task would be tried again."""
    answer = error_of(dialect, 400).replace("400", "200", 1).replace("some_error", "invalid_request_error")
    words = service.when("under 200", answer.replace("SOME_ERROR", "INVALID_ARGUMENT"))
    with stage.client() as client:
        body = {"model": f"{dialect}-model", "stream": streams, **said(words)}
        status, told = client.refused(body)
        assert status >= 400 and ("It was wrong." in told["message"]) == (dialect != "ollama"), told
        if dialect != "ollama":
            error = client.failed(client.generate(body)["id"])
            assert "It was wrong." in error["message"], error
        assert client.spent() == 0


@pytest.mark.parametrize("dialect", ["gemini"], indirect=True)
@pytest.mark.parametrize("streams", [False, True])
def test_a_blocked_prompt_is_told(stage, service, streams):
    words = service.when(f"blocked {streams}", Say(finish="blocked"))
    with stage.client() as client:
        error = client.failed(client.generate({"model": "gemini-model", "stream": streams, **said(words)})["id"])
        assert error["code"] == "content_policy_violation", error


def test_a_failure_never_tells_the_key(stage, dialect, service):
    """Services repeat the key in their complaints; clients and operators must not see it."""
    words = service.when(f"tells the key {dialect}",
                         error_of(dialect, 400).replace("It was wrong.", "Wrong key: fake-key!"),
                         Say(PIECES, stop_at=1, ending="error", error="Wrong key: fake-key!"))
    with stage.client() as client:
        first = client.generate({"model": f"{dialect}-model", **said(words)})["id"]
        client.failed(first)
        second = client.generate({"model": f"{dialect}-model", "stream": True, **said(words)})
        with client.follow(second) as stream:
            text = "".join(event.data for event in stream.events())
        shown = str([stage.server.shown(one) for one in (first, second["id"])]) + str(client.failed(first))
        assert "fake-key" not in text + shown + stage.server.log_text()


# -- another route

def two_routes(make_stage, dialect="openai", settings="", away=(), **options):
    kind = llm.DIALECTS[dialect]
    services = {dialect: kind(), f"{dialect}-backup": kind()}
    routes = route(dialect, priority=0) + route(f"{dialect}-backup", priority=1)
    stage = make_stage(services, model("two-ways", routes), settings, away=away, **options)
    stage.server.start()
    return stage


def run(client, words, streams, sync):
    """(content, task) of a call that goes well."""
    body = {"model": "two-ways", "stream": streams, **said(words)}
    if not sync:
        task = client.settled(client.generate(body)["id"])
    elif streams:
        with client.stream("POST", COMPLETIONS, body) as stream:
            assert stream.events()[-1].data == "[DONE]"
        task = client.settled(stream.headers["X-Task-Id"])
    else:
        task = client.settled(client.complete(body)[1])
    assert task["status"] == "completed", task
    return task["results"][0]["choices"][0]["message"]["content"], task


@pytest.mark.parametrize("trouble", [
    429, 503, 529, 500, "429 Retry-After:30 {}", "429 retry-after-ms:30000 {}", "429 Retry-After:date+30 {}",
    '429 {"error":{"message":"No more.","type":"insufficient_quota","code":"insufficient_quota"}}',
    '503 {"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}',
    "502 <html><body>Bad gateway</body></html>", "401", "refused connection",
], ids=lambda one: str(one)[:40])
@pytest.mark.parametrize("streams, sync", [(False, False), (True, True)])
def test_before_the_first_chunk_another_route_makes_it_good(make_stage, trouble, streams, sync):
    stage = two_routes(make_stage, away=("openai",) if trouble == "refused connection" else ())
    if trouble != "refused connection":
        stage.services["openai"].script.steps["chat"] = [error_of("openai", trouble) if isinstance(trouble, int)
                                                         else trouble]
    with stage.client() as client:
        content, task = run(client, "another way", streams, sync)
        assert content == "The fox is quick." and client.spent() == price_of(Usage())
        attempts = stage.server.shown(task["id"])["attempts"]
        assert [one["provider"] for one in attempts] == ["openai", "openai-backup"], attempts
        assert stage.services["openai-backup"].journal.count("chat") == 1


@pytest.mark.parametrize("dialect", DIALECTS)
def test_another_route_of_each_dialect(make_stage, dialect):
    stage = two_routes(make_stage, dialect)
    stage.services[dialect].script.steps["chat"] = [error_of(dialect, 503)]
    with stage.client() as client:
        assert run(client, "another way", True, True)[0] == "The fox is quick."
        assert client.spent() == price_of(Usage())


def test_a_route_of_another_dialect(make_stage):
    services = {"anthropic": anthropic.AnthropicService(), "gemini": gemini.GeminiService(),
                "ollama": ollama.OllamaService()}
    routes = route("anthropic", priority=0) + route("gemini", priority=1) + route("ollama", priority=2)
    stage = make_stage(services, model("two-ways", routes))
    stage.server.start()
    services["anthropic"].script.steps["chat"] = [error_of("anthropic", 529)]
    services["gemini"].script.steps["chat"] = [error_of("gemini", 503)]
    with stage.client() as client:
        content, task = run(client, "through three", True, True)
        assert content == "The fox is quick."
        assert [one["provider"]
                for one in stage.server.shown(task["id"])["attempts"]] == ["anthropic", "gemini", "ollama"]


def test_after_the_first_chunk_there_is_no_other_route(make_stage):
    stage = two_routes(make_stage)
    stage.services["openai"].script.steps["chat"] = [Say(PIECES, stop_at=1, ending="error")]
    with stage.client() as client:
        with client.stream("POST", COMPLETIONS, {"model": "two-ways", "stream": True, **said("too late")}) as stream:
            *chunks, error = stream.events()
        assert content_of(chunks) == PIECES[0] and "error" in error.json()
        client.failed(stream.headers["X-Task-Id"])
        assert stage.services["openai-backup"].journal.entries == []


def test_a_refused_request_goes_nowhere_else(make_stage):
    stage = two_routes(make_stage)
    stage.services["openai"].script.steps["chat"] = [error_of("openai", 400)]
    with stage.client() as client:
        assert client.refused({"model": "two-ways", **said("refused")})[0] == 400
        assert client.spent() == 0
    assert stage.services["openai-backup"].journal.entries == []


@pytest.mark.parametrize("streams", [False, True])
def test_when_nobody_can_the_caller_is_told_soon(make_stage, streams):
    stage = two_routes(make_stage)
    for one in stage.services.values():
        one.script.steps["chat"] = [error_of("openai", 503)]
    with stage.client() as client:
        status, error = client.refused({"model": "two-ways", "stream": streams, **said("nobody can")})
        assert status in (502, 503) and error["message"], (status, error)
        assert client.spent() == 0


def test_too_many_requests_everywhere_is_429_with_a_time(make_stage):
    stage = two_routes(make_stage)
    for one in stage.services.values():
        one.script.steps["chat"] = ["429 Retry-After:7 " + ERRORS["openai"]]
    with stage.client() as client:
        answer = client.post(COMPLETIONS, {"model": "two-ways", **said("too many")})
        assert answer.status == 429 and int(answer.headers["Retry-After"]) >= 1, (answer, answer.headers)
        assert client.spent() == 0


def test_a_connection_that_breaks_after_the_request_is_not_blindly_repeated(make_stage):
    """A language model's answer cannot be asked for again: the tokens may have been paid (T3)."""
    stage = two_routes(make_stage)
    stage.services["openai"].script.steps["chat"] = ["reset"]
    with stage.client() as client:
        assert client.failed(client.generate({"model": "two-ways",
                                              **said("broken off")})["id"])["code"] == "submission_unknown"
        assert stage.services["openai"].journal.count("chat") == 1


# -- services that never end

@pytest.mark.parametrize("trouble", ["silent", "trickle"])
def test_a_service_that_never_answers_is_given_up(make_stage, trouble):
    stage = make_stage({"openai": openai_chat.OpenAiService()}, model("two-ways", route("openai")),
                       "llm = { duration = 2 }")
    stage.server.start()
    stage.services["openai"].script.steps["chat"] = [trouble]
    with stage.client() as client:
        client.failed(client.generate({"model": "two-ways", **said("never")})["id"], 120)
        assert client.spent() == 0


def test_an_answer_that_is_too_large_is_given_up(make_stage):
    stage = make_stage({"openai": openai_chat.OpenAiService()}, model("two-ways", route("openai")))
    stage.server.start()
    stage.services["openai"].script.steps["chat"] = [Say(itertools.repeat("x" * (1 << 20)))]
    with stage.client() as client:
        task = client.generate({"model": "two-ways", "stream": True, **said("too large")})
        client.failed(task["id"])
        entry = stage.services["openai"].journal.of("chat")[0]
        assert stage.services["openai"].journal.wait_over(entry).gone
        assert client.spent() == 0


def test_a_whole_answer_that_is_too_large_is_given_up(make_stage):
    stage = make_stage({"openai": openai_chat.OpenAiService()}, model("two-ways", route("openai")))
    stage.server.start()
    stage.services["openai"].script.steps["chat"] = [Say("x" * (40 << 20))]
    with stage.client() as client:
        client.failed(client.generate({"model": "two-ways", **said("too large")})["id"])
        assert client.spent() == 0


# -- flavours of OpenAI's dialect

def test_llama_cpp_is_understood(make_stage):
    service = openai_chat.OpenAiService(flavour="llama.cpp")
    stage = make_stage({"openai": service}, model("two-ways", route("openai")))
    stage.server.start()
    service.script.steps["chat"] = [Say(PIECES, manner="pings"),
                                    '400 {"error":{"code":400,"message":"Too long","type":"exceed"}}']
    with stage.client() as client:
        with client.stream("POST", COMPLETIONS, {"model": "two-ways", "stream": True, **said("llama")}) as stream:
            assert content_of(stream.events()[:-1]) == TEXT
        assert client.charged(stream.headers["X-Task-Id"]) == price_of(Usage())
        status, error = client.refused({"model": "two-ways", **said("llama")})
        assert status == 400 and "Too long" in error["message"] and error["code"] == "invalid_parameters", error


def test_media_by_link_is_fetched_for_services_that_fetch_none(make_stage):
    from services import cdn
    files = cdn.FileHost()
    files.script.steps["file"] = ["200 @png"]
    service = ollama.OllamaService()
    stage = make_stage({"ollama": service}, model("two-ways", route("ollama")),
                       f'fetch = {{ allow = {{ "{files.url.removeprefix("http://")}" }} }}')
    stage.server.start()
    try:
        with stage.client() as client:
            client.settled(client.generate({"model": "two-ways", "prompt": "look",
                                            "image_urls": [files.url + "/fox.png"]})["id"])
            image, = service.calls[0].body["messages"][-1]["images"]
            assert base64.b64decode(image) == files.reply_of("200 @png").body
            assert "authorization" not in files.journal.wait("file", 1).request.headers
            # What may not be reached is not fetched (S1).
            answer = client.post(COMPLETIONS, {"model": "two-ways", "messages": [{"role": "user", "content": [
                {"type": "image_url", "image_url": {"url": "http://127.0.0.1:9/x.png"}},
                {"type": "text", "text": "look"}]}]})
            assert answer.status >= 400 and len(service.calls) == 1, answer
            assert client.spent() == price_of(Usage())
    finally:
        files.stop()
