"""fal calls us: the whole way of a webhook, from the URL that it was given to the finished task. Its status never says
that a job is done here, so that only a webhook can have told."""
import pytest
from house import VIDEO, eventually
from services import fal, service

FILM = """
model "film" {
    type = "video", summary = "A film", estimated = 1, timeout = 600, price = per_call(3),
    params = { prompt = text{ required } }, routes = { fal = { target = "fal-ai/film" } },
    results = function(out) return { { url = artifact(out.video), seed = out.seed } } end,
}
"""


@pytest.fixture
def house(make_server):
    """fal, our server that it can call, and a client."""
    made = []

    def start(polls=("running",), **steps):
        there = fal.FalService(service.Script({"poll": list(polls), **steps}))
        made.append(there)
        server = make_server("", FILM)
        server.configure(f'''public_url = "http://{server.address}"
            providers = {{ fal = {{ key = "fake-key", url = "{there.url}", allow_private = true }} }}
            fetch = {{ allow = {{ "{there.url.removeprefix('http://')}" }} }}''')
        server.start()
        return there, server, server.client(server.key("studio", credits=100))

    yield start
    for one in made:
        one.stop()


def submitted(there, client):
    task = client.submit("film", VIDEO, prompt="A paper boat")
    there.journal.wait("submit", 1)
    there.journal.wait("poll", 1)  # its id is known by now
    return task, next(iter(there.jobs.values()))


def outcomes(client):
    lines = client.get("/metrics").body.decode().splitlines()
    return {line.split('"')[1]: int(line.split()[-1]) for line in lines if line.startswith("fennec_hooks_total{")}


def test_a_signed_webhook_ends_the_job(house):
    there, server, client = house()
    with client:
        task, job = submitted(there, client)
        assert job.webhook.startswith(f"http://{server.address}/v1/hooks/")
        assert there.call(job) == 200
        done = client.completed(task)
        assert done["results"][0]["seed"] == 42
        assert there.call(job) == 200  # fal repeats itself
        assert outcomes(client)["verified"] == 1 and outcomes(client)["ignored"] == 1
        assert len(there.journal.of("keys")) == 1
    assert job.webhook.rsplit("/", 1)[1] not in server.log_text()


def test_a_signed_webhook_brings_the_models_own_error(house):
    there, _, client = house()
    with client:
        task, job = submitted(there, client)
        assert there.call(job, status=422) == 200
        assert client.failed(task)["code"] == "content_policy_violation"
        assert client.credits() == 100


def test_a_webhook_cannot_say_whether_another_try_may_help(house):
    there, _, client = house(["running", "completed"], result=['failed 500 X-Fal-Retryable:false {"detail":"It broke."}'])
    with client:
        task, job = submitted(there, client)
        assert there.call(job, status=500) == 200
        assert client.failed(task)["code"] == "service_error"
        assert there.journal.count("submit") == there.journal.count("result") == 1


@pytest.mark.parametrize("how, outcome", [
    ("forged", "forged"), ("altered", "forged"), ("stale", "stale"), ("unsigned", "unsigned"),
])
def test_a_webhook_that_is_not_good_changes_nothing(house, how, outcome):
    there, _, client = house()
    with client:
        task, job = submitted(there, client)
        assert there.call(job, how) == 401
        assert client.task(task)["status"] == "processing"
        assert outcomes(client)[outcome] == 1
        assert there.call(job) == 200
        client.completed(task)


def test_a_webhook_finds_its_attempt_after_a_restart(house):
    there, server, client = house()
    with client:
        task, job = submitted(there, client)
        server.kill()
        eventually(lambda: not there.connections)  # what the first life has asked is in the journal
        asked = len(there.journal.of("poll"))
        server.start()
        there.journal.wait("poll", asked + 1)
        assert there.call(job) == 200
        client.completed(task)


def test_sync_upstream_shows_what_fal_says_now(house):
    there, _, client = house(["running", "completed"])
    with client:
        task, _ = submitted(there, client)
        done = client.get(f"/v1/tasks/{task}?sync_upstream=true").json()
        while done["status"] != "completed":  # the question before was a moment ago
            done = client.get(f"/v1/tasks/{task}?sync_upstream=true").json()
        assert done["results"][0]["seed"] == 42
