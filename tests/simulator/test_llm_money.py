"""What calls to language models cost: reserved by an estimate, settled by the tokens used, to the microcredit."""
import itertools
import threading

import pytest
from services.chat import Say, Usage
from services.openai_chat import OpenAiService

import llm
from house import Threads, eventually
from llm import COMPLETIONS, CREDITS, GENERATIONS, OUTPUT, content_of, micro, model, price_of, route, said

GROUPS = """groups = {
    half = { price = 0.5 }, third = { price = 0.333333 }, double = { price = 2 }, narrow = { streams = 2 },
}"""
MODELS = (model("openai-model", route("openai")) + model("capped", route("openai"), more="output = 1000") +
          model("costly", route("openai"), "per_token{ input = 500000, output = 1000000 }") +
          model("fine", route("openai"), "per_token{ input = 0.075, output = 0.3, cached = 0.01875 }"))


@pytest.fixture(scope="module")
def lasting_stage(tmp_path_factory):
    """One with groups, and prices of several kinds."""
    from house import Server
    stage = llm.Stage(Server(tmp_path_factory.mktemp("llm"), ""), {"openai": OpenAiService()}, MODELS, GROUPS)
    stage.server.start()
    yield stage
    stage.server.close()
    stage.close()


@pytest.fixture
def service(stage):
    return stage.services["openai"]


def pay(client, service, words, usage, name="openai-model", streams=False):
    """The final task of a call for which the service counts so much; it is long enough to reserve that."""
    service.when(words, Say(usage=usage))
    body = {"model": name, "stream": streams, "max_tokens": usage.output + 1, **said(words + " word" * usage.input)}
    return client.settled(client.generate(body)["id"])


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("usage", [
    Usage(11, 7), Usage(1, 1), Usage(1000, 1, 999), Usage(12345, 7890, 10000), Usage(10, 3, 10),
    Usage(7, 900, 1, 800),
], ids=repr)
@pytest.mark.parametrize("group, ratio", [("default", 1), ("half", 0.5), ("third", 0.333333), ("double", 2)])
def test_each_token_has_its_price(stage, service, usage, group, ratio, streams):
    with stage.client(group=group) as client:
        task = pay(client, service, f"price {usage} {group} {streams}", usage, streams=streams)
        assert micro(task["usage"]["credits_charged"]) == price_of(usage, ratio) == client.spent()
        assert (task["usage"]["user_group"], task["usage"]["billing_rule"]) == (group, "per_token")


@pytest.mark.parametrize("usage, charged", [
    (Usage(1, 1), 1),               # 0.375 microcredits
    (Usage(40, 0), 3), (Usage(41, 0), 4),  # 3, 3.075
    (Usage(1000, 1000, 1000), 319)])                 # 18.75 + 300, rounded up once
def test_fractions_of_a_microcredit_are_rounded_up_once(stage, service, usage, charged):
    with stage.client() as client:
        task = pay(client, service, f"fine {usage}", usage, "fine")
        assert micro(task["usage"]["credits_charged"]) == charged == client.spent()


def reserved(client, **more):
    return micro(client.generate(more)["usage"]["credits_reserved"])


def test_the_reservation_covers_what_the_answer_may_have(stage):
    with stage.client() as client:
        ask = {"model": "openai-model", **said("How much?")}
        hundred, more = reserved(client, max_tokens=100, **ask), reserved(client, max_tokens=250, **ask)
        assert more - hundred == 150 * OUTPUT and hundred > 100 * OUTPUT
        assert reserved(client, max_completion_tokens=100, **ask) == hundred
        assert reserved(client, max_tokens=100, **{**ask, **said("How much? " * 1000)}) > hundred + 1000 * llm.INPUT
        assert 0 <= reserved(client, max_tokens=100, n=3, **ask) - hundred - 200 * OUTPUT <= 10 * llm.INPUT
        capped = {**ask, "model": "capped"}
        assert abs(reserved(client, **capped) - reserved(client, max_tokens=1000, **capped)) <= 10 * llm.INPUT


def test_of_two_limits_the_larger_one_is_reserved(stage):
    with stage.client() as client:
        ask = {"model": "openai-model", **said("How much of both?")}
        large = reserved(client, max_tokens=5000, **ask)
        for both in ({"max_tokens": 5000, "max_completion_tokens": 1}, {"max_tokens": 1, "max_completion_tokens": 5000}):
            assert 0 <= reserved(client, **both, **ask) - large <= 20 * llm.INPUT


@pytest.mark.parametrize("field", ["n_predict", "num_predict", "max_new_tokens", "max_output_tokens", "models"])
def test_what_would_be_asked_for_but_not_priced_is_refused(stage, service, field):
    words = service.when(f"not priced {field}", Say())
    with stage.client() as client:
        status, error = client.refused({"model": "openai-model", "max_tokens": 1, field: 100000, **said(words)})
        assert (status, error["code"], error["param"]) == (422, "unknown_field", field)
    assert service.calls_with(words) == []


def test_a_reservation_shows_at_once_and_the_rest_comes_back(stage, service):
    gate = threading.Event()
    words = service.when("shows at once", Say(hold=gate))
    with stage.client() as client:
        ask = {"model": "openai-model", "max_tokens": 1000, **said(words)}
        expected = reserved(client, **{**ask, **said("shows at once".upper())})
        client.settled(client.tasks()[0])
        before = client.spent()
        task = client.generate(ask)
        assert micro(task["usage"]["credits_reserved"]) == expected
        assert client.spent() == before + expected
        gate.set()
        assert client.charged(task["id"]) == price_of(Usage()) == client.spent() - before


def test_what_a_service_wrote_beyond_its_limit_is_not_charged(stage, service):
    usage = Usage(11, 100000)
    words = service.when("more than reserved", Say(usage=usage))
    with stage.client() as client:
        task = client.settled(client.generate({"model": "openai-model", "max_tokens": 10, **said(words)})["id"])
        assert task["usage"]["credits_charged"] == task["usage"]["credits_reserved"] and micro(
            task["usage"]["credits_charged"]) == client.spent() < price_of(usage)


@pytest.mark.parametrize("streams", [False, True])
def test_without_a_word_on_usage_an_estimate_is_charged_and_marked(stage, service, streams):
    words = service.when(f"no usage {streams}", Say(("word ",) * 200, usage=None))
    with stage.client() as client:
        task = client.settled(client.generate({"model": "openai-model", "stream": streams, **said(words)})["id"])
        told = task["results"][0]["usage"]
        assert told["estimated"] is True and 100 <= told["completion_tokens"] <= 400 and told["prompt_tokens"] > 0, told
        assert micro(task["usage"]["credits_charged"]) == price_of(llm.usage_told(task["results"][0])) == client.spent()


def test_a_balance_that_is_too_low_is_refused_before_anything_is_asked(stage, service):
    words = service.when("too low", Say())
    with stage.client(credits=1) as client:
        for path, more in ((COMPLETIONS, {}), (COMPLETIONS, {"stream": True}), (GENERATIONS, {}),
                           (GENERATIONS, {"stream": True})):
            status, error = client.refused({"model": "costly", "max_tokens": 100, **more, **said(words)}, path)
            assert (status, error["type"]) == (402, "insufficient_quota"), error
        assert client.credits() == 1
        assert client.tasks() == []
    assert service.calls_with(words) == []


def test_a_client_that_goes_cuts_the_service_off_and_pays_what_was_written(stage, service):
    """Whole stream of a waiting call: nobody else can read it."""
    gates = {number: threading.Event() for number in range(60)}
    words = service.when("cuts off", Say(("word ",) * 60, holds=gates, usage=Usage(11, 999)))
    with stage.client() as client:
        with client.stream("POST", COMPLETIONS, {"model": "openai-model", "stream": True, **said(words)}) as stream:
            for number in range(50):
                gates[number].set()
            heard = ""
            while heard.count("word") < 50:
                heard += content_of([stream.event()])
            task_id = stream.headers["X-Task-Id"]
        call, = service.calls_with(words)
        assert service.journal.wait_over(call.entry).gone
        task = client.settled(task_id)
        told = task["results"][0]["usage"]
        assert task["status"] == "completed" and told["estimated"] is True, task
        assert task["results"][0]["choices"][0]["message"]["content"] == heard
        assert 25 <= told["completion_tokens"] <= 100, told
        assert micro(task["usage"]["credits_charged"]) == price_of(llm.usage_told(task["results"][0])) == client.spent()


def test_a_client_that_goes_before_anything_was_written(stage, service):
    gate = threading.Event()
    words = service.when("before anything", Say(hold=gate))
    with stage.client() as client:
        with client.stream("POST", COMPLETIONS, {"model": "openai-model", **said(words)}):
            entry = eventually(lambda: service.calls_with(words))[0].entry
        assert service.journal.wait_over(entry).gone
        task_id, = eventually(client.tasks)
        task = client.settled(task_id)
        assert micro(task["usage"]["credits_charged"]) == client.spent()
        assert client.spent() <= price_of(Usage(100, 0)), "more than the question was charged"


def test_a_reader_that_goes_leaves_the_task_alone(stage, service):
    gate = threading.Event()
    words = service.when("leaves alone", Say(holds={2: gate}))
    with stage.client() as client:
        task = client.generate({"model": "openai-model", "stream": True, **said(words)})
        with client.follow(task) as stream:
            stream.event()
        gate.set()
        assert client.charged(task["id"]) == price_of(Usage()) == client.spent()
        call, = service.calls_with(words)
        assert not service.journal.wait_over(call.entry).gone


TENFOLD = "per_token{ input = 30, output = 150, cached = 3 }"
CHEAP = "groups = {{ vip = {{ price = {}, streams = 1 }} }}"


@pytest.mark.parametrize("models, settings", [
    (model("openai-model", route("openai")), CHEAP.format(1)), (model("openai-model", route("openai")), CHEAP.format(0)),
    (model("openai-model", route("openai")), ""), (model("openai-model", route("openai"), TENFOLD), CHEAP.format(0.1)),
], ids=["dearer group", "free group", "no group", "dearer model"])
def test_what_is_accepted_keeps_its_price(make_stage, models, settings):
    """Though it is dispatched after a reload; today's prices tell the share of the reservation."""
    service, gate, usage = OpenAiService(), threading.Event(), Usage(100, 50)
    stage = make_stage({"openai": service}, model("openai-model", route("openai")), CHEAP.format(0.1))
    stage.server.start()
    service.when("the first", Say(usage=usage, hold=gate))
    service.when("the second", Say(usage=usage))
    with stage.client(group="vip") as client:
        first, second = (client.generate({"model": "openai-model", "max_tokens": 5000,
                                          **said(words + " word" * 120)})["id"] for words in ("the first", "the second"))
        eventually(lambda: len(service.calls_with("the first")) == 1)
        assert client.status(second) == "pending"
        stage.settings = settings
        stage.server.configure(stage.all_settings())
        stage.server.models(models)
        stage.server.reload()
        gate.set()
        assert micro(client.settled(first)["usage"]["credits_charged"]) == price_of(usage, 0.1)
        assert micro(client.settled(second)["usage"]["credits_charged"]) - price_of(usage, 0.1) in (0, 1)


def test_more_calls_than_an_account_may_have_are_refused(stage, service):
    gate = threading.Event()
    words = service.when("may have two", Say(hold=gate))
    ask = {"model": "openai-model", "stream": True, **said(words)}
    with stage.client(group="narrow") as client, stage.client(group="narrow") as other:
        calls = [client.stream("POST", COMPLETIONS, ask) for _ in range(2)]
        eventually(lambda: len(service.calls_with(words)) == 2)
        for more in ({"stream": True}, {"stream": False}):
            answer = client.post(COMPLETIONS, {**ask, **more})
            assert answer.status == 429 and answer.error()["code"] == "too_many_streams", answer
            assert answer.headers["Retry-After"].isdigit(), answer.headers
        # Others have places of their own, and so have tasks: they wait instead of being refused.
        calls.append(other.stream("POST", COMPLETIONS, ask))
        tasks = [client.generate(ask)["id"] for _ in range(3)]
        eventually(lambda: len(service.calls_with(words)) == 5)
        assert sorted(client.status(task) for task in tasks) == ["pending", "processing", "processing"]
        gate.set()
        for call in calls:
            with call:
                assert call.events()[-1].data == "[DONE]"
        assert [client.charged(task) for task in tasks] == 3 * [price_of(Usage())]
        assert (client.spent(), other.spent()) == (5 * price_of(Usage()), price_of(Usage()))


def test_many_calls_at_once_are_each_paid_exactly(stage, service):
    words = "many at once"
    counter = itertools.count(1)
    service.when(words, lambda call: Say(usage=Usage(next(counter), 3)))
    with stage.client() as client:
        paid = []

        def work(own, _):
            for _ in range(10):
                _, task_id = own.complete({"model": "openai-model", **said(words)})
                paid.append(own.charged(task_id))

        Threads(stage.server, client.key, 8, work, llm.LlmClient).join()
        assert sorted(paid) == [price_of(Usage(number, 3)) for number in range(1, 81)]
        assert client.spent() == sum(paid)
        assert micro(client.account()["used_credits"]) == sum(paid) and client.account()["remaining_credits"] < CREDITS
