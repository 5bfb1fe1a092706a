"""POST /v1/{images,videos,audios}/generations: what is accepted, what is refused, what it costs."""
import base64
import json
import time

import pytest

from catalogue import BAD, ENDPOINTS, IMAGE, LOCAL, MODELS, PIXEL, VIDEO
from client import TASK_ID

SUBMISSION_KEYS = ["created", "id", "model", "object", "progress", "status", "task_info", "type", "usage"]


@pytest.mark.parametrize("name", MODELS)
def test_every_model_takes_its_good_body(tester, name):
    model = MODELS[name]
    made = tester.submit(model.endpoint, model.body(name))
    assert list(made) == SUBMISSION_KEYS
    assert TASK_ID.match(made["id"])
    assert made["model"] == name
    assert made["object"] == f"{model.type}.generation.task"
    assert (made["progress"], made["status"], made["type"]) == (0, "pending", model.type)
    assert list(made["task_info"]) == ["can_cancel", "estimated_time"]
    assert made["task_info"]["can_cancel"] is True
    assert isinstance(made["task_info"]["estimated_time"], int) and made["task_info"]["estimated_time"] > 0
    assert list(made["usage"])[:2] == ["credits_reserved", "user_group"]
    assert made["usage"]["user_group"] == "default"


def test_the_answer_byte_for_byte(tester):
    response = tester.post(VIDEO, {"model": "seedance-2.0-text-to-video", "prompt": "a fox"})
    made = response.json()
    assert response.headers["Content-Type"] == "application/json"
    assert response.body.decode() == (
        '{"created":%d,"id":"%s","model":"seedance-2.0-text-to-video","object":"video.generation.task","progress":0,'
        '"status":"pending","task_info":{"can_cancel":true,"estimated_time":90},"type":"video",'
        '"usage":{"credits_reserved":25,"user_group":"default","credits_charged":0,"credits_refunded":0,'
        '"billing_rule":"per_second"}}' % (made["created"], made["id"]))


@pytest.mark.parametrize("name, changes, code, param", BAD, ids=[f"{b[0]}-{b[2]}-{b[3]}" for b in BAD])
def test_every_model_refuses_its_bad_bodies(tester, name, changes, code, param):
    response = tester.post(MODELS[name].endpoint, MODELS[name].body(name, **changes))
    assert response.status == 422, response
    error = response.error()
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", code, param), error


@pytest.mark.parametrize("name", MODELS)
def test_every_model_refuses_unknown_fields(tester, name):
    response = tester.post(MODELS[name].endpoint, MODELS[name].body(name, no_such_field=1))
    assert response.status == 422
    error = response.error()
    assert (error["code"], error["param"]) == ("unknown_field", "no_such_field")


@pytest.mark.parametrize("name", MODELS)
def test_every_model_names_what_is_missing(tester, name):
    response = tester.post(MODELS[name].endpoint, {"model": name})
    assert response.status == 422
    error = response.error()
    assert error["code"] == "missing_field"
    assert error["param"] in MODELS[name].good, error


@pytest.mark.parametrize("name", MODELS)
def test_no_field_takes_an_object_it_does_not_know(tester, name):
    """Every field of the good body, replaced by nonsense, is named in the refusal."""
    for field in MODELS[name].good:
        for nonsense in ({"x": 1}, [{}], True, 10 ** 400 if field == "" else -1.5):
            response = tester.post(MODELS[name].endpoint, MODELS[name].body(name, **{field: nonsense}))
            assert response.status == 422, (field, nonsense, response)
            assert response.error()["param"].startswith(field), (field, nonsense, response)


@pytest.mark.parametrize("endpoint", ["/v1/audios/generations", "/v1/audio/generations"])
def test_audio_has_two_names(tester, endpoint):
    assert tester.submit(endpoint, {"model": "local-speech", "prompt": "hello"})["type"] == "audio"


@pytest.mark.parametrize("name", MODELS)
def test_a_model_of_another_endpoint_is_not_found_there(tester, name):
    model = MODELS[name]
    for endpoint in ENDPOINTS.values():
        if endpoint == model.endpoint:
            continue
        response = tester.post(endpoint, model.body(name))
        assert response.status == 422
        error = response.error()
        assert (error["code"], error["param"]) == ("model_not_found", "model")
        assert model.endpoint in error["message"]


@pytest.mark.parametrize("body, code, param", [
    ({}, "missing_field", "model"),
    ({"prompt": "x"}, "missing_field", "model"),
    ({"model": None}, "invalid_type", "model"),
    ({"model": 5}, "invalid_type", "model"),
    ({"model": ["local-image"]}, "invalid_type", "model"),
    ({"model": ""}, "model_not_found", "model"),
    ({"model": "no-such-model"}, "model_not_found", "model"),
    ({"model": "Local-Image"}, "model_not_found", "model"),
    ({"model": "local-image "}, "model_not_found", "model"),
    ({"model": "x" * 10000}, "model_not_found", "model"),
    ({"model": "\u202e\U0001f600"}, "model_not_found", "model"),
])
def test_the_model_field(tester, body, code, param):
    response = tester.post(IMAGE, body)
    assert response.status == 422
    error = response.error()
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", code, param)
    assert len(error["message"]) < 500


@pytest.mark.parametrize("name", [name for name in MODELS if name not in LOCAL])
def test_a_live_key_hears_what_is_not_configured(live, name):
    response = live.post(MODELS[name].endpoint, MODELS[name].body(name))
    assert response.status == 422
    error = response.error()
    assert (error["type"], error["code"]) == ("service_unavailable_error", "no_compatible_channel")
    setting, variable = (('providers["openai-videos"].key', "OPENAI_VIDEOS_KEY") if name == "sora-2-character" else
                         ("providers.fal.key", "FAL_KEY"))
    assert setting in error["message"] and variable in error["message"], error


def test_a_mistake_is_named_before_what_is_not_configured(live):
    response = live.post(IMAGE, {"model": "phota-image", "prompt": 5})
    error = response.error()
    assert (response.status, error["code"], error["param"]) == (422, "invalid_type", "prompt")


# ---- JSON ----

@pytest.mark.parametrize("body", [
    "", " ", "x", "{", "}", "{]", '{"model":}', '{"model":"a",}', "{'model':'a'}", '{"model":"a"} x', '{"model":"a"}{}',
    '[{"model":"local-image"}]', '"local-image"', "5", "null", "true", '{"model":"a","model":"b"}',
    '{"model":"a","x":{"y":1,"y":2}}', '{"model":"a\x00b"}', '{"model":"a\\u0000b"}', '{"x\\u0000y":1}', '{"model":"\\ud800"}',
    '{"x":1e999}', '{"x":' + "9" * 400 + "}", '{"x":99999999999999999999999}', '{"x":01}', '{"x":+1}', '{"x":.5}', '{"x":NaN}',
    '{"x":Infinity}', '{"x":"\t"}', "\ufeff{}", '{"x":"unfinished', "{/*c*/}", "[" * 100, '{"a":' * 100 + "1" + "}" * 100,
    '{"x":' + "[" * 50 + "]" * 50 + "}", "[" * 500000,
])
def test_what_is_no_json_is_400(tester, body):
    response = tester.post(IMAGE, body.encode(), {"Content-Type": "application/json"})
    assert response.status == 400, response
    error = response.error()
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", "invalid_json", None)


@pytest.mark.parametrize("bad", [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe2\x82", b"\x80"])
def test_invalid_utf8_is_400(tester, bad):
    response = tester.post(IMAGE, b'{"model":"local-image","prompt":"' + bad + b'"}', {"Content-Type": "application/json"})
    assert response.status == 400
    assert response.error()["code"] == "invalid_json"


@pytest.mark.parametrize("content_type, status", [
    ("application/json", 200), ("application/json; charset=utf-8", 200), ("APPLICATION/JSON;charset=\"UTF-8\"", 200),
    ("application/json; charset=iso-8859-1", 400), ("text/plain", 400), ("text/json", 400), ("application/jsonp", 400),
    ("application/x-www-form-urlencoded", 400), ("multipart/form-data; boundary=x", 400), ("", 400), (None, 400),
])
def test_content_type(tester, content_type, status):
    headers = {} if content_type is None else {"Content-Type": content_type}
    response = tester.request("POST", IMAGE, json.dumps(MODELS["local-image"].body("local-image")).encode(), headers)
    assert response.status == status, response
    if status != 200:
        assert response.error()["code"] == "invalid_content_type"


def test_unicode_goes_in(tester):
    for prompt in ("é", "日本語", "\U0001f98a", "a\nb\tc", "\u2028", '"\\'):
        tester.submit(IMAGE, {"model": "phota-image", "prompt": prompt})


def test_length_counts_characters_not_bytes(tester):
    assert tester.post(VIDEO, {"model": "seedance-2.0-text-to-video", "prompt": "\U0001f98a" * 5000}).status == 200
    response = tester.post(VIDEO, {"model": "seedance-2.0-text-to-video", "prompt": "\U0001f98a" * 5001})
    assert (response.status, response.error()["code"]) == (422, "too_long")


@pytest.mark.parametrize("url", [
    "https://example.com/a.png", "http://example.com:8080/a?b=c#d", "HTTPS://EXAMPLE.COM/%20",
])
def test_urls_that_are_ones(tester, url):
    tester.submit(IMAGE, {"model": "phota-image-enhance", "image_url": url})


@pytest.mark.parametrize("url", [
    "", " ", "a.png", "//example.com/a", "ftp://example.com/a", "file:///etc/passwd", "javascript:alert(1)", "http://",
    "https:///a", "http:// example.com", "http://example.com/a b", "http://example.com/\n", "http://" + "a" * 100000 + ".com/",
    "data:image/png;base64,AAAA", "fennec-blob:" + "0" * 64 + "/a.png",
])
def test_urls_that_are_none(tester, url):
    response = tester.post(IMAGE, {"model": "phota-image-enhance", "image_url": url})
    assert response.status == 422, response
    assert response.error()["param"] == "image_url"


def test_null_is_for_nullable_fields(tester):
    tester.submit(VIDEO, {"model": "lipsync-2", "video_url": "https://example.com/a.mp4", "audio_url": "https://example.com/a.mp3",
                          "temperature": None})
    response = tester.post(VIDEO, {"model": "seedance-2.0-text-to-video", "prompt": "x", "duration": None})
    assert (response.status, response.error()["param"]) == (422, "duration")


# ---- money ----

def test_reservation_charge_and_refund(server):
    with server.client(server.key("spender", credits=10)) as client:
        assert client.credits() == 10
        made = client.submit(IMAGE, MODELS["local-image"].body("local-image"))
        assert made["usage"]["credits_reserved"] == 1
        task = client.finished(made["id"])
        assert task["usage"] == {"credits_reserved": 1, "user_group": "default", "credits_charged": 1, "credits_refunded": 0,
                                 "billing_rule": "per_call"}
        assert client.credits() == 9
        used = client.get("/v1/account/credits").json()
        assert used == {"success": True, "message": "", "data": {
            "token": {"remaining_credits": 9, "unlimited_credits": True, "used_credits": 1},
            "user": {"remaining_credits": 9, "used_credits": 1}}}


def test_the_groups_ratio(server):
    with server.client(server.key("doubled", credits=3, group="double")) as client:
        made = client.submit(IMAGE, MODELS["local-image"].body("local-image"))
        assert made["usage"] == {"credits_reserved": 2, "user_group": "double", "credits_charged": 0, "credits_refunded": 0,
                                 "billing_rule": "per_call"}
        client.finished(made["id"])
        assert client.credits() == 1


def test_a_balance_too_low_is_402(server):
    with server.client(server.key("poor", credits="0.5")) as client:
        response = client.post(IMAGE, MODELS["local-image"].body("local-image"))
        assert response.status == 402
        error = response.error()
        assert (error["type"], error["code"]) == ("insufficient_quota", "insufficient_quota")
        assert "1 credit" in error["message"]
        assert client.credits() == 0.5
        made = client.submit(VIDEO, {"model": "local-image-to-video", "image_url": PIXEL, "duration": 1})
        assert made["usage"]["credits_reserved"] == 0.5
        assert client.credits() == 0


def test_a_refused_submission_costs_nothing(server):
    with server.client(server.key("careful", credits=5)) as client:
        for body in ({}, {"model": "local-image"}, MODELS["local-image"].body("local-image", seed=-1)):
            assert client.post(IMAGE, body).status == 422
        assert client.credits() == 5


def test_test_keys_cost_nothing_real(server):
    with server.client(server.key("both", credits=5)) as live, server.client(server.key("both", test=True)) as test:
        test.completed(IMAGE, {"model": "phota-image", "prompt": "x"})
        assert live.credits() == 5
        assert test.get("/v1/account/credits").json()["data"]["token"]["unlimited_credits"] is True


def test_price_follows_the_parameters(tester):
    def reserved(**changes):
        return tester.submit(VIDEO, {"model": "seedance-2.0-text-to-video", "prompt": "x", **changes})["usage"]["credits_reserved"]
    assert reserved() == 25
    assert reserved(resolution="480p") == 10
    assert reserved(resolution="1080p", duration=15) == 180
    assert reserved(duration=-1) == 75
    assert tester.submit(IMAGE, {"model": "phota-image", "prompt": "x", "num_outputs": 3,
                                 "resolution": "4K"})["usage"]["credits_reserved"] == 48


# ---- limits ----

def test_a_body_over_the_limit_is_413(server, test_key):
    with server.client(test_key) as client:
        response = client.post(IMAGE, {"model": "local-image", "prompt": "x"}, {"Content-Length": str(10 ** 12)})
        assert response.status == 413
        assert response.error()["type"] == "request_too_large_error"


@pytest.mark.parametrize("model, field, words", [
    ("local-pbr-maps", "image_url", "must be an image; its bytes are audio/wav"),
    ("local-transcribe", "audio_url", "must be an audio file; its bytes are image/png"),
])
def test_an_inline_file_of_another_kind_is_named(tester, model, field, words):
    sound = base64.b64encode(b"RIFF\x24\0\0\0WAVEfmt " + bytes(40)).decode()
    data = f"data:audio/wav;base64,{PIXEL.partition(',')[2]}" if field == "audio_url" else f"data:image/png;base64,{sound}"
    response = tester.post(MODELS[model].endpoint, {**MODELS[model].body(model), field: data})
    error = response.error()
    assert (response.status, error["code"], error["param"]) == (422, "invalid_url", field)
    assert words in error["message"], error


def test_an_inline_file_over_the_limit_is_413(make_server):
    one = make_server("limits = { input = 1024 }\nsimulator = { seconds = 0 }")
    with one.client(one.key("someone", test=True)) as client:
        import base64
        big = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"x" * 2000).decode()
        response = client.post(IMAGE, {"model": "local-pbr-maps", "image_url": big, "maps": ["normal"]})
        assert response.status == 413, response
        error = response.error()
        assert (error["type"], error["code"], error["param"]) == ("file_too_large_error", "file_too_large", "image_url")


def test_requests_per_minute(server):
    """Three at once, and then one in twenty seconds."""
    with server.client(server.key("hasty", test=True, group="slow")) as client:
        began, taken = time.monotonic(), 0
        while (answer := client.get("/v1/models")).status == 200:
            taken += 1
            assert taken <= 3 + (time.monotonic() - began) / 20
        assert taken >= 3 and answer.status == 429
        error = answer.error()
        assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
        assert 1 <= int(answer.headers["Retry-After"]) <= 60


def test_the_answer_comes_after_the_task_is_durable(make_server):
    """What was acknowledged is there after a kill."""
    one = make_server()
    key = one.key("someone", test=True)
    with one.client(key) as client:
        ids = [client.submit(IMAGE, {"model": "phota-image", "prompt": f"{i} fennec:slow=3"})["id"] for i in range(20)]
        one.process.kill()
        one.process.wait()
        one.process.stdout.close()
    one.start()
    with one.client(key) as client:
        for task_id in ids:
            assert client.finished(task_id)["status"] == "completed"


def test_many_at_one_time(server, test_key):
    import threading
    failures = []

    def submit_some(number):
        try:
            with server.client(test_key) as client:
                for i in range(10):
                    client.submit(IMAGE, {"model": "phota-image", "prompt": f"{number} {i}"})
        except Exception as failure:  # pylint: disable=broad-except
            failures.append(failure)

    threads = [threading.Thread(target=submit_some, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures


def test_a_url_of_ours_is_an_input_too(live):
    """A result of one task goes into the next without leaving the machine."""
    image = live.completed(IMAGE, MODELS["local-image"].body("local-image"))
    maps = live.completed(IMAGE, {"model": "local-pbr-maps", "image_url": image["results"][0]["url"], "maps": ["height"]})
    assert maps["results"][0]["map_type"] == "height"


def test_an_address_inside_is_not_fetched(live):
    for url in ("http://127.0.0.1:1/a.png", "http://169.254.169.254/latest/meta-data", "http://[::1]/a.png", "http://localhost/a.png"):
        task = live.run(IMAGE, {"model": "local-pbr-maps", "image_url": url, "maps": ["height"]})
        assert task["status"] == "failed", task
        assert task["usage"]["credits_charged"] == 0
