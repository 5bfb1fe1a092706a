"""The standard's EventSource on a task's events: connections that break cost nothing, and after the end it comes no more."""
import pytest
from clients import talk

from house import VIDEO


@pytest.fixture(scope="module")
def follower():
    with talk.open_client("task_events") as client:
        yield client


@pytest.fixture
def client(stage):
    with stage.server.client(stage.server.key("follower", test=True)) as client:
        yield client


def submit(client):
    return client.submit("seedance-2.0-text-to-video", VIDEO, prompt="a fox")


def follow(stage, follower, client, task, **options):
    return follower.value(f"http://{stage.server.address}", "follow", client.key, path=f"/v1/tasks/{task}/events", **options)


def kinds_of(said):
    return [event["data"]["kind"] for event in said["events"] if event["name"] == "state"]


def test_it_follows_a_task_to_its_end(stage, follower, client):
    task = submit(client)
    said = follow(stage, follower, client, task)
    assert kinds_of(said) == ["accepted", "dispatched"]
    assert said["done"] == client.get(f"/v1/tasks/{task}").json() and said["done"]["status"] == "completed"
    assert [one["status"] for one in said["requests"]] == [200]


@pytest.mark.parametrize("breaks", [[1], [0, 1, 1], [2, 0]], ids=str)
def test_it_goes_on_after_its_connections_broke(stage, follower, client, breaks):
    task = submit(client)
    said = follow(stage, follower, client, task, breaks=breaks)
    assert kinds_of(said) == ["accepted", "dispatched"], "something was lost or told twice"
    rising = [event["data"]["progress"] for event in said["events"]]
    assert rising == sorted(rising) and said["done"]["status"] == "completed"
    assert len(said["requests"]) == len(breaks) + 1
    ids = [event["id"] for event in said["events"]]
    assert len(ids) == len(set(ids))
    seen = 0
    for count, request in zip(breaks, said["requests"][1:]):
        seen += count
        assert request["lastEventId"] == (ids[seen - 1] if seen else None)


def test_it_comes_no_more_after_the_end(stage, follower, client):
    """One that does not close at `done` comes again by itself, and is told that there is nothing more."""
    task = submit(client)
    said = follow(stage, follower, client, task, stays=True)
    assert [one["status"] for one in said["requests"]] == [200, 204] and said["closed"]
