"""Files on their way to a service and back, through the real server and fal's own dialect."""
import base64

import pytest
from house import VIDEO
from services import cdn, fal, service

SEEDANCE, LIPSYNC = "seedance-2.0-image-to-video", "lipsync-2"


@pytest.fixture
def studio(make_server):
    """Starts a server whose fal is simulated, the host of its result files, and one of somebody's input files."""
    services = []

    def start(script=None, results=None, inputs=None, public=True, **provider):
        films, pictures = cdn.FileHost(service.Script({"file": results or ["200 @mp4"]})), cdn.FileHost()
        pictures.script.steps["file"] = inputs or ["200 @png"]
        there = fal.FalService(service.Script(script), host_of_files=films)
        services.extend((films, pictures, there))
        hosts = ", ".join(f'"{one.url.removeprefix("http://")}"' for one in (films, pictures))
        more = "".join(f", {name} = {value}" for name, value in provider.items())

        def settings(first=""):
            return f'''{first}
                providers = {{ fal = {{ key = "fake-key", url = "{there.url}", allow_private = true, poll_min = 0.05{more} }} }}
                fetch = {{ allow = {{ {hosts} }} }}'''

        server = make_server(settings()).start()
        if public:  # it is known only now
            server.configure(settings(f'public_url = "http://{server.address}"'))
            server.reload()
        return there, films, pictures, server.client(server.key("studio", credits=1000)), f"http://{server.address}"

    yield start
    for one in services:
        one.stop()


def test_a_picture_from_elsewhere_is_handed_on_as_our_link(studio):
    there, _, pictures, client, base = studio(rehost="true")
    fetched = []
    there.moments.add("at", "submit", 1, lambda entry: fetched.append(client.download(entry.request.json()["image_url"])))
    with client:
        task = client.submit(SEEDANCE, VIDEO, prompt="a fox", image_url=f"{pictures.url}/fox.png?secret=1")
        client.completed(task)
    given = there.journal.wait("submit", 1).request.json()["image_url"]
    assert given.startswith(f"{base}/v1/artifacts/") and "secret" not in given
    assert fetched[0].status == 200 and fetched[0].body == pictures.reply_of("200 @png").body
    assert fetched[0].headers["Content-Type"] == "image/png"
    assert pictures.journal.count("file") == 1


def test_a_picture_from_elsewhere_stays_where_it_is(studio):
    there, _, pictures, client, _ = studio()
    with client:
        url = f"{pictures.url}/fox.png?size=2"
        client.completed(client.submit(SEEDANCE, VIDEO, prompt="a fox", image_url=url))
    assert there.journal.wait("submit", 1).request.json()["image_url"] == url
    assert pictures.journal.count("file") == 0


@pytest.mark.parametrize("public", [True, False])
def test_a_result_is_the_input_of_the_next_task(studio, public):
    there, _, pictures, client, base = studio(public=public)
    with client:
        picture = f"{pictures.url}/fox.png"
        film = client.completed(client.submit(SEEDANCE, VIDEO, prompt="a fox", image_url=picture))["results"][0]["url"]
        client.completed(client.submit(LIPSYNC, VIDEO, video_url=film, audio_url="https://example.com/voice.mp3"))
    given = there.journal.wait("submit", 2).request.json()["video_url"]
    assert given.startswith(f"{base}/v1/artifacts/" if public else "data:video/mp4;base64,")
    assert film.split("/")[5] in given or not public


@pytest.mark.parametrize("public", [True, False])
@pytest.mark.parametrize("prefix", ["data:image/png;base64,", ""])
def test_a_file_inside_the_request_reaches_the_service(studio, public, prefix):
    there, _, pictures, client, base = studio(public=public)
    picture, fetched = pictures.reply_of("200 @png").body, []
    if public:
        there.moments.add("at", "submit", 1,
                          lambda entry: fetched.append(client.download(entry.request.json()["image_url"]).body))
    with client:
        inline = prefix + base64.b64encode(picture).decode()
        client.completed(client.submit(SEEDANCE, VIDEO, prompt="a fox", image_url=inline))
    given = there.journal.wait("submit", 1).request.json()["image_url"]
    if public:
        assert given.startswith(f"{base}/v1/artifacts/") and fetched == [picture]
    else:
        assert given == "data:image/png;base64," + base64.b64encode(picture).decode()


def test_a_link_that_has_run_out_is_asked_for_anew(studio):
    there, films, pictures, client, _ = studio(results=["403 {}", "200 @mp4"])
    with client:
        task = client.completed(client.submit(SEEDANCE, VIDEO, prompt="a fox", image_url=f"{pictures.url}/fox.png"))
        film = client.download(task["results"][0]["url"])
    assert film.status == 200 and film.body == films.reply_of("200 @mp4").body
    assert there.journal.count("submit") == 1 and there.journal.count("result") == 2
    assert films.journal.count("file") == 2
    assert all("authorization" not in entry.request.headers for entry in films.journal.of("file"))


def test_a_result_that_cannot_be_had_costs_nothing(studio):
    there, films, pictures, client, _ = studio(results=["200 <html>Please sign in</html>"])
    with client:
        before = client.credits()
        error = client.failed(client.submit(SEEDANCE, VIDEO, prompt="a fox", image_url=f"{pictures.url}/fox.png"))
        assert client.credits() == before
    assert error["code"] == "generation_failed_no_content" and "wrong kind" in error["message"]
    assert there.journal.count("submit") == 1


def test_a_picture_that_cannot_be_had_never_reaches_the_service(studio):
    there, _, pictures, client, _ = studio(rehost="true", inputs=["404 {}"])
    with client:
        error = client.failed(client.submit(SEEDANCE, VIDEO, prompt="a fox", image_url=f"{pictures.url}/fox.png"))
        assert error["code"] == "invalid_parameters" and "image_url" in error["message"] and "404" in error["message"]
        error = client.failed(client.submit(SEEDANCE, VIDEO, prompt="a fox", image_url="http://127.0.0.1:9/fox.png"))
        assert error["code"] == "invalid_parameters" and "not allowed" in error["message"]  # S1
    assert there.journal.count("submit") == 0


def test_a_stop_does_not_wait_for_a_host_out_of_order(make_server):
    """The job has ended at its service, and the next start asks for its file again."""
    films = cdn.FileHost(service.Script({"file": ["503"] * 100}))
    there = fal.FalService(service.Script(), host_of_files=films)
    server = make_server(f'''drain = 3600
        providers = {{ fal = {{ key = "fake-key", url = "{there.url}", allow_private = true, poll_min = 0.05 }} }}
        fetch = {{ allow = {{ "{films.url.removeprefix("http://")}" }} }}''').start()
    with server.client(server.key("studio", credits=1000)) as client:
        task = client.submit(SEEDANCE, VIDEO, prompt="a fox", image_url="https://example.com/fox.png")
        films.journal.wait("file", 4)
        assert server.stop() == 0
        films.script.steps["file"] = ["200 @mp4"]
        server.start()
    with server.client(client.key) as client:
        client.completed(task)
    assert there.journal.count("submit") == 1
    there.stop()
    films.stop()
