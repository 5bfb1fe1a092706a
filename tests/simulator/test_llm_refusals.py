"""What is refused before a service is asked: each with its code, and the field by its path."""
import pytest
from services.chat import Say
from services.openai_chat import OpenAiService

import llm
from house import Server
from llm import COMPLETIONS, GENERATIONS, MP4, PNG, TWIN, WAV, model, route, said

MODELS = "".join([
    model("everything", route("openai")),
    model("text-only", route("openai"), more='takes = { "text" }'),
    model("one-picture", route("openai"), more='takes = { "text", "image" }, most = { image = 1 }'),
    model("wav-only", route("openai"), more='takes = { "text", "audio" }, audio_types = { "audio/wav" }'),
    model("says-most", route("openai"), more="max_tokens = { required = true }"),
    model("at-least", route("openai"), more="max_tokens = { least = 16 }"),
    model("small", route("openai"), more='body = "2 KiB"'),
    model("nowhere", route("openai-absent")),
])
WILDCARD = model("own/*", route("openai", "*"))


@pytest.fixture(scope="module")
def lasting_stage(tmp_path_factory):
    """One with models of many rules. Nothing is configured for `openai-absent`."""
    stage = llm.Stage(Server(tmp_path_factory.mktemp("llm"), ""),
                      {"openai": OpenAiService(models=("fake-model", "qwen3:8b"))},
                      MODELS + WILDCARD, "llm = { messages = 5 }\nlimits = { body = \"1 MiB\" }")
    (stage.server.catalog / "providers" / "openai-absent.lua").write_text(llm.adapter("openai"))
    stage.server.start()
    yield stage
    stage.server.close()
    stage.close()


def parts(*some):
    kinds = {"text": {"type": "text", "text": "What is it?"}, "image": {"type": "image_url", "image_url": {"url": PNG}},
             "audio": {"type": "audio_url", "audio_url": {"url": WAV}},
             "video": {"type": "video_url", "video_url": {"url": MP4}},
             "file": {"type": "file_url", "file_url": {"url": "https://example.com/a.pdf"}}}
    return {"messages": [{"role": "user", "content": [kinds[one] if isinstance(one, str) else one for one in some]}]}


@pytest.mark.parametrize("name, body, code, param", [
    ("nowhere", said("x"), "no_available_model", "model"),
    ("no-such-model", said("x"), "no_available_model", "model"),
    ("text-only", parts("text", "image"), "unsupported_content_type", "messages[0].content[1]"),
    ("text-only", {"prompt": "x", "image_urls": [PNG]}, "model_not_support_capability", "image_urls"),
    ("text-only", {"audio_url": WAV}, "model_not_support_capability", "audio_url"),
    ("text-only", {"prompt": "x", "video_urls": [MP4]}, "model_not_support_capability", "video_urls"),
    ("everything", parts("text", {"type": "smell_url", "smell_url": {"url": PNG}}), "unsupported_content_type",
     "messages[0].content[1]"),
    ("one-picture", parts("text", "image", "image"), "model_rule_violation", "messages[0].content[2]"),
    ("one-picture", {"prompt": "x", "image_urls": [PNG, PNG]}, "model_rule_violation", "image_urls"),
    ("wav-only", parts("text", {"type": "audio_url", "audio_url": {"url": "data:audio/ogg;base64,AAAA"}}),
     "model_rule_violation",
     "messages[0].content[1]"),
    ("says-most", said("x"), "invalid_param", "max_tokens"),
    ("at-least", said("x", max_tokens=15), "invalid_param", "max_tokens"),
    ("small", said("x" * 5000), "model_rule_violation", "messages"),
])
def test_a_models_rules(stage, name, body, code, param):
    with stage.client() as client:
        paths = [GENERATIONS] + ([COMPLETIONS, TWIN] if "messages" in body else [])
        for path in paths:
            for more in ({}, {"stream": True}):
                status, error = client.refused({"model": name, **body, **more}, path)
                assert (status, error["code"]) == (422, code), error
                assert error["param"].startswith(param), error
        assert client.spent() == 0 and client.tasks() == []


@pytest.mark.parametrize("body, param", [
    ({"prompt": 5}, "prompt"), ({"prompt": "x" * 100001}, "prompt"), ({}, "prompt"), ({"prompt": ""}, "prompt"),
    ({"image_urls": [PNG]}, "prompt"), ({"video_urls": [MP4]}, "prompt"),
    ({"prompt": "x", "image_urls": []}, "image_urls"), ({"prompt": "x", "image_urls": [PNG] * 11}, "image_urls"),
    ({"prompt": "x", "image_urls": ["ftp://example.com/x"]}, "image_urls[0]"),
    ({"prompt": "x", "image_urls": [PNG, 5]}, "image_urls[1]"),
    ({"prompt": "x", "audio_url": "nonsense"}, "audio_url"), ({"prompt": "x", "video_urls": "x"}, "video_urls"),
    ({"prompt": "x", "max_tokens": 0}, "max_tokens"), ({"prompt": "x", "max_tokens": 1.5}, "max_tokens"),
    ({"prompt": "x", "temperature": 2.1}, "temperature"), ({"prompt": "x", "temperature": -0.1}, "temperature"),
    ({"prompt": "x", "system_prompt": "x" * 10001}, "system_prompt"),
    ({"prompt": "x", "reasoning": "yes"}, "reasoning"),
    ({"prompt": "x", "sync": 1}, "sync"), ({"prompt": "x", "stream": "true"}, "stream"),
    ({"prompt": "x", "colour": "red"}, "colour"),
    ({"messages": []}, "messages"), ({"messages": "x"}, "messages"), ({"messages": [5]}, "messages[0]"),
    ({"messages": [{"role": "fox", "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages[0].content[0].type"),
    ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content[0].image_url"),
    ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
     "messages[0].content[0].image_url.url"),
    ({"messages": [{"role": "user", "content": "x"}] * 6}, "messages"),
    ({"messages": [{"role": "user", "content": "x"}], "n": 0}, "n"),
    ({"messages": [{"role": "user", "content": "x"}], "stream_options": 5}, "stream_options"),
])
def test_a_bad_field_is_named(stage, body, param):
    with stage.client() as client:
        for path in (GENERATIONS, *([COMPLETIONS] if "messages" in body else [])):
            status, error = client.refused({"model": "everything", **body}, path)
            assert (status, error["param"], error["type"]) == (422, param, "invalid_request_error"), error
        assert client.spent() == 0


@pytest.mark.parametrize("path", [GENERATIONS, COMPLETIONS, TWIN])
@pytest.mark.parametrize("model_, param", [({}, "model"), ({"model": 5}, "model"), ({"model": ""}, "model")])
def test_a_model_is_needed(stage, path, model_, param):
    with stage.client() as client:
        status, error = client.refused({**model_, **said("x")}, path)
        assert (status, error["param"]) == (422, param), error


@pytest.mark.parametrize("path", [GENERATIONS, COMPLETIONS, TWIN])
def test_what_is_no_request_at_all(stage, path):
    nobody, wrong = llm.LlmClient(stage.server), llm.LlmClient(stage.server, "sk-live-wrong")
    with stage.client() as client, nobody, wrong:
        assert nobody.refused({"model": "everything", **said("x")}, path)[1]["code"] == "missing_api_key"
        assert wrong.refused({"model": "everything", **said("x")}, path)[1]["code"] == "invalid_api_key"
        with client.stream("POST", path, None) as stream:
            assert stream.head().status == 400 and stream.error()["code"] == "invalid_json"
        answer = client.get(path)
        assert answer.status == 405 and "POST" in answer.headers["Allow"], answer
        with client.stream("POST", path, {"model": "everything", **said("x" * (1 << 20))}) as stream:
            assert stream.head().status == 413


def test_a_request_without_words_of_its_own_limits_may_be_long(stage):
    words = stage.services["openai"].when("many parts", Say())
    with stage.client() as client:
        client.complete({"model": "everything",
                         "messages": [{"role": "user", "content": [{"type": "text", "text": words}] * 60}]})


def test_many_models_by_one_line(stage):
    words = stage.services["openai"].when("by one line", Say())
    with stage.client() as client:
        completion, task_id = client.complete({"model": "own/qwen3:8b", **said(words)})
        assert client.settled(task_id)["model"] == "own/qwen3:8b"
        call, = stage.services["openai"].calls_with(words)
        assert call.model == "qwen3:8b"
        answer = client.post(COMPLETIONS, {"model": "own/absent", **said("no such")})
        assert answer.status == 404 and "does not have it" in answer.error()["message"], answer


def test_names_that_a_service_does_not_have_are_nothing_to_its_models(stage):
    words = stage.services["openai"].when("by another line", Say())
    with stage.client() as client:
        for number in range(6):
            answer = client.post(COMPLETIONS, {"model": f"own/absent-{number}", **said("no such")})
            assert answer.status == 404 and answer.error()["code"] == "resource_not_found", answer
        client.complete({"model": "own/qwen3:8b", **said(words)})


def test_models_are_listed_with_what_they_take(stage):
    with stage.client() as client:
        listed = {one["id"]: one for one in client.get("/v1/models").json()["data"]}
        assert listed["text-only"]["object"] == "model" and listed["text-only"]["owned_by"], listed["text-only"]
        assert listed["text-only"]["supported_endpoint_types"], listed["text-only"]
        answer = client.get("/v1/configs/llm_generations_models").json()
        models = answer["data"] if isinstance(answer, dict) else answer
        capabilities = {one.get("id") or one.get("model"): one["capabilities"] for one in models}
        assert capabilities["text-only"] == ["text"] and capabilities["one-picture"] == ["text", "vision"]
        assert capabilities["everything"] == ["text", "vision", "video", "audio", "file"]
