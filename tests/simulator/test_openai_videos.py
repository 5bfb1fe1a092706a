"""The OpenAI dialect for videos, against a gateway that speaks it: characters from files at hand, films behind the key."""
import email
import email.policy

import pytest
from house import VIDEO
from services import cdn, scripted, service

FILMS = """
model "character" {
    type = "video", summary = "A character", estimated = 1, timeout = 60, price = per_call(1),
    params = { name = text{ required }, video_url = url{ "video", required } },
    routes = { ["openai-videos"] = { target = "/videos/characters", files = { video = "video_url" } } },
    results = function(out) return { { character_id = out.id, name = out.name } } end,
}

for name, files in pairs{ ["film-json"] = false, ["film-form"] = { input_reference = "image_url" } } do
    model(name) {
        type = "video", summary = "A film", estimated = 1, timeout = 60, price = per_call(3),
        params = { prompt = text{ required }, seconds = integer{ default = 4 }, image_url = url{ "image", nullable } },
        routes = { ["openai-videos"] = { target = "/videos", files = files or nil, input = function(p)
            return { model = "sora-2", prompt = p.prompt, seconds = tostring(p.seconds), image_url = p.image_url }
        end, inputs = not files and "links" or nil } },
        results = function(out) return { { url = artifact(out.video) } } end,
    }
end
"""
QUEUED = 'accepted 200 {"id":"video_1","object":"video","status":"queued","progress":0,"error":null}'


@pytest.fixture
def gateway(make_server):
    """Starts a server whose openai-videos is a service with this script, and a host of input files."""
    services = []

    def start(steps, keys=("fake-key",)):
        there, files = scripted.ScriptedService(service.Script(steps)), cdn.FileHost()
        services.extend((there, files))
        server = make_server(f'''providers = {{ ["openai-videos"] = {{
            key = {{ {", ".join(f'"{key}"' for key in keys)} }}, url = "{there.url}", allow_private = true, poll_min = 0.05 }} }}
            fetch = {{ allow = {{ "{files.url.removeprefix('http://')}" }} }}''', FILMS).start()
        return there, files, server.client(server.key("studio", credits=100))

    yield start
    for one in services:
        one.stop()


def parts_of(request):
    """(name, file name, media type, bytes) of each part of a form."""
    text = b"Content-Type: " + request.headers["content-type"].encode() + b"\r\n\r\n" + request.body
    for part in email.message_from_bytes(text, policy=email.policy.HTTP).iter_parts():
        name = part.get_param("name", header="content-disposition")
        yield name, part.get_filename(), part.get_content_type(), part.get_payload(decode=True)


def test_a_character_is_made_while_one_waits(gateway):
    there, files, client = gateway({"POST /videos/characters": ['accepted 200 {"id":"char_1","name":"Foxy","created_at":1}']})
    with client:
        task = client.completed(client.submit("character", VIDEO, name="Foxy", video_url=f"{files.url}/fox.mp4"))
    assert task["results"] == [{"character_id": "char_1", "name": "Foxy"}]
    request = there.journal.wait("POST /videos/characters", 1).request
    assert request.headers["authorization"] == "Bearer fake-key"
    parts = {name: rest for name, *rest in parts_of(request)}
    film = files.journal.wait("file", 1)
    assert parts["name"][2] == b"Foxy" and parts["video"][1] == "video/mp4"
    assert parts["video"][2] == files.answer(film).body
    assert "authorization" not in film.request.headers


@pytest.mark.parametrize("model", ["film-json", "film-form"])
def test_a_film_is_fetched_with_the_key(gateway, model):
    there, files, client = gateway({
        "POST /videos": [QUEUED],
        "GET /videos/*": ['200 {"id":"video_1","status":"in_progress","progress":42}',
                          '200 {"id":"video_1","status":"completed","progress":100,"seconds":"4"}'],
        "GET /videos/*/content": ["404 {}", "200 @mp4"],
    })
    image_url = f"{files.url}/first.png"
    files.script.steps["file"] = ["200 @png"]
    with client:
        task = client.completed(client.submit(model, VIDEO, prompt="A fox", image_url=image_url))
        film = client.download(task["results"][0]["url"])
    assert film.status == 200 and film.body == there.reply_of("200 @mp4").body
    submission = there.journal.wait("POST /videos", 1).request
    if model == "film-json":
        assert submission.json() == {"model": "sora-2", "prompt": "A fox", "seconds": "4", "image_url": image_url}
        assert files.journal.count("file") == 0
    else:
        parts = {name: rest for name, *rest in parts_of(submission)}
        assert parts["seconds"][2] == b"4" and parts["input_reference"][1] == "image/png"
    content = there.journal.of("GET /videos/*/content")
    assert len(content) == 2 and all(entry.request.headers["authorization"] == "Bearer fake-key" for entry in content)


@pytest.mark.parametrize("answer, code, message", [
    ('200 {"id":"video_1","status":"failed","error":{"code":"moderation_blocked","message":"Blocked."}}',
     "content_policy_violation", "refused"),
    ('404 {"error":{"message":"No such video"}}', "resource_not_found", "does not exist"),
])
def test_a_film_that_fails_costs_nothing(gateway, answer, code, message):
    there, _, client = gateway({"POST /videos": [QUEUED], "GET /videos/*": [answer]})
    with client:
        error = client.failed(client.submit("film-json", VIDEO, prompt="A fox"))
    assert error["code"] == code and message in error["message"]
    assert there.journal.count("POST /videos") == 1


def test_a_refusal_is_shown_to_the_sender(gateway):
    refusal = '400 {"error":{"message":"seconds must be 4, 8 or 12","type":"invalid_request_error","code":"invalid_value"}}'
    _, _, client = gateway({"POST /videos": [refusal]})
    with client:
        error = client.failed(client.submit("film-json", VIDEO, prompt="A fox", seconds=5))
    assert (error["code"], error["message"]) == ("invalid_parameters", "seconds must be 4, 8 or 12")


DONE = {"GET /videos/*": ['200 {"id":"video_1","status":"completed"}'], "GET /videos/*/content": ["200 @mp4"]}
LOOSE = '{"error":{"message":"Project acme has no access.","type":"invalid_request_error","param":null,"code":null}}'


NO_MONEY = '{"error":{"code":"insufficient_quota","message":"No money."}}'


@pytest.mark.parametrize("refusal", ["401 " + LOOSE, "403 " + LOOSE, "200 " + NO_MONEY],
                         ids=["401", "403", "under-200"])
def test_another_key_is_taken_for_one_that_is_refused(gateway, refusal):
    there, _, client = gateway({"POST /videos": [refusal, QUEUED], **DONE}, keys=("fake-a", "fake-b"))
    with client:
        client.completed(client.submit("film-json", VIDEO, prompt="A fox"))
    keys = [entry.request.headers["authorization"] for entry in there.journal.of("POST /videos")]
    assert sorted(keys) == ["Bearer fake-a", "Bearer fake-b"]


def test_nobody_knows_what_became_of_a_job_that_the_gateway_stumbled_over(gateway):
    there, _, client = gateway({"POST /videos": ['200 {"error":{"code":"server_error","message":"Oops."}}', QUEUED], **DONE})
    with client:
        assert client.failed(client.submit("film-json", VIDEO, prompt="A fox"))["code"] == "submission_unknown"
    assert there.journal.count("POST /videos") == 1


def test_a_job_may_have_a_number(gateway):
    there, _, client = gateway({"POST /videos": ['accepted 200 {"id":9007199254740993,"status":"queued"}'], **DONE})
    with client:
        client.completed(client.submit("film-json", VIDEO, prompt="A fox"))
    assert there.journal.wait("GET /videos/*", 1).request.path.endswith("/videos/9007199254740993")
