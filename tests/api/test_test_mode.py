"""Test keys: every model of the catalogue on the simulator, with the documented shapes, small real files, magic words."""
import subprocess

import pytest

from catalogue import AUDIO, IMAGE, MODELS, PIXEL, VIDEO
from client import eventually

KINDS = {"image": ("image/png",), "video": ("video/mp4",), "audio": ("audio/wav", "audio/mpeg")}

ERRORS = [
    "content_policy_violation", "invalid_parameters", "image_processing_error", "image_dimension_mismatch", "request_cancelled",
    "generation_failed", "generation_failed_no_content", "service_error", "generation_timeout", "resource_exhausted",
    "quota_exceeded", "service_unavailable", "resource_not_found", "submission_unknown", "unknown_error",
]


@pytest.mark.parametrize("name", MODELS)
def test_every_model_has_its_documented_results(tester, name, tmp_path):
    model = MODELS[name]
    task = tester.completed(model.endpoint, model.body(name))
    assert task["model"] == name
    assert task["progress"] == 100
    assert task["error"] is None
    assert [list(result) for result in task["results"]] == model.results
    for number, result in enumerate(task["results"]):
        if "url" not in result:
            assert all(value not in (None, "") for value in result.values()), result
            continue
        response = tester.download(result["url"])
        assert response.status == 200
        assert response.headers["Content-Type"] in KINDS[model.type]
        assert result.get("content_type", response.headers["Content-Type"]) == response.headers["Content-Type"]
        path = tmp_path / f"{number}"
        path.write_bytes(response.body)
        subprocess.run(["ffprobe", "-v", "error", str(path)], check=True, capture_output=True)


def test_scribe_words(tester):
    (result,) = tester.completed(AUDIO, MODELS["scribe-v2"].body("scribe-v2"))["results"]
    assert result["words"]
    for word in result["words"]:
        assert {"text", "start", "end", "type"} <= set(word)


def test_maps_follow_the_request(tester):
    for name in ("patina-pbr-maps", "patina-material", "patina-material-extract", "local-pbr-maps"):
        task = tester.completed(IMAGE, MODELS[name].body(name, maps=["height", "normal", "roughness"]))
        maps = [result for result in task["results"] if result.get("result_type") == "pbr_map"]
        assert [result["map_type"] for result in maps] == ["height", "normal", "roughness"]
        textures = [result for result in task["results"] if result.get("result_type") == "texture"]
        assert len(textures) == (1 if name.startswith("patina-material") else 0)


def test_a_preview_comes_with_a_text(tester):
    (result,) = tester.completed(AUDIO, MODELS["minimax-voice-clone"].body("minimax-voice-clone", text="Hello"))["results"]
    assert list(result) == ["voice_id", "url", "content_type"]
    assert tester.download(result["url"]).headers["Content-Type"] == result["content_type"]


def test_a_film_of_a_length_of_its_own_costs_what_it_stands_for(tester):
    """The sample is of one second; what the simulated model chose are five of the fifteen that are reserved."""
    usage = tester.completed(VIDEO, MODELS["seedance-2.0-text-to-video"].body("seedance-2.0-text-to-video", duration=-1))["usage"]
    assert (usage["credits_reserved"], usage["credits_charged"], usage["credits_refunded"]) == (75, 25, 50)


def test_seedance_answers_the_seed(tester):
    (result,) = tester.completed(VIDEO, MODELS["seedance-2.0-text-to-video"].body("seedance-2.0-text-to-video", seed=123))["results"]
    assert result["seed"] == 123
    (result,) = tester.completed(VIDEO, MODELS["seedance-2.0-text-to-video"].body("seedance-2.0-text-to-video"))["results"]
    assert isinstance(result["seed"], int)


def test_outputs_follow_their_number(tester):
    task = tester.completed(IMAGE, {"model": "phota-image", "prompt": "x", "num_outputs": 4})
    assert len(task["results"]) == 4
    assert len({result["url"] for result in task["results"]}) == 4


@pytest.mark.parametrize("code", ERRORS)
def test_magic_errors(tester, code):
    task = tester.run(VIDEO, {"model": "seedance-2.0-text-to-video", "prompt": f"a fox fennec:error={code}"})
    assert task["status"] == "failed"
    assert list(task["error"]) == ["code", "message", "type"]
    assert (task["error"]["code"], task["error"]["type"]) == (code, "task_error")
    assert task["error"]["message"]
    usage = task["usage"]
    assert (usage["credits_charged"], usage["credits_refunded"]) == (0, usage["credits_reserved"])


def test_a_magic_error_without_a_code(tester):
    task = tester.run(VIDEO, {"model": "seedance-2.0-text-to-video", "prompt": "fennec:error"})
    assert task["error"]["code"] == "generation_failed"


def test_flaky_is_tried_again(server, tester):
    task = tester.completed(VIDEO, {"model": "seedance-2.0-text-to-video", "prompt": "fennec:flaky"})
    assert task["usage"]["credits_charged"] == task["usage"]["credits_reserved"]


def test_slow_and_never(tester):
    never = tester.submit(IMAGE, {"model": "phota-image", "prompt": "fennec:never"})
    slow = tester.submit(IMAGE, {"model": "phota-image", "prompt": "fennec:slow=30"})
    seen = set()

    def moved():
        seen.add(tester.task(slow["id"])["progress"])
        return len(seen) >= 3
    eventually(moved)
    assert tester.post(f"/v1/tasks/{slow['id']}/cancel").status == 200
    tester.completed(IMAGE, {"model": "phota-image", "prompt": "fennec:slow=1"})
    assert tester.task(never["id"])["status"] == "processing"


def test_no_account_of_play_money_runs_dry(server):
    with server.client(server.key("player", test=True)) as client:
        for _ in range(3):
            client.submit(IMAGE, {"model": "phota-create-profile", "image_archive_url": "https://example.com/faces.zip"})
        assert client.credits() < 0


def test_inputs_are_not_fetched(tester):
    """A test-mode task needs nothing of the outside: addresses that lead nowhere do."""
    for url in ("https://no-such-host.invalid/a.png", "http://127.0.0.1:1/a.png"):
        tester.completed(IMAGE, {"model": "phota-image-enhance", "image_url": url})
    tester.completed(IMAGE, {"model": "local-pbr-maps", "image_url": PIXEL, "maps": ["normal"]})


def test_live_and_test_keys_of_one_account_share_nothing_but_the_name(server):
    with server.client(server.key("two-books", credits=100)) as live, server.client(server.key("two-books", test=True)) as test:
        made = test.submit(IMAGE, {"model": "phota-image", "prompt": "x"})
        test.finished(made["id"])
        assert live.credits() == 100
        assert live.task(made["id"])["status"] == "completed"  # the account is the same
