"""GET /api/pricing: public, and complete enough to compute what a task reserves."""
import fractions
import json

import pytest

from catalogue import MODELS
from client import eventually
from conftest import CONFIG

PRICING = "/api/pricing"


def prices(client):
    response = client.get(PRICING)
    assert response.status == 200, response
    return json.loads(response.body, parse_float=fractions.Fraction)


def compute(entry, body):
    """What the task costs, by nothing but the list: the price of a unit times the units."""
    price = entry["price"]
    unit = price.get("credits")
    if "by" in price:
        value = body.get(price["by"], price["default"])
        unit = next(one["credits"] for one in price["variants"] if one["value"] == value)
    units = price["units"]
    if "fixed" in units:
        count = units["fixed"]
    elif "items_of" in units:
        count = len(body[units["items_of"]])
    else:
        count = body.get(units["field"], units["default"])
        if count is None or count < 0:
            count = units["otherwise"]
    return fractions.Fraction(unit) * fractions.Fraction(count)


def test_the_shape(anyone):
    answer = prices(anyone)
    assert list(answer) == ["success", "message", "data", "group_ratio"]
    assert (answer["success"], answer["message"]) == (True, "")
    assert answer["group_ratio"] == {"default": 1, "double": 2, "slow": 1, "narrow": 1}
    for entry in answer["data"]:
        assert list(entry) == ["model", "type", "description", "billing_rule", "price", "minimum", "price_text"]
    names = [entry["model"] for entry in answer["data"]]
    assert names == sorted(names) and len(set(names)) == len(names)
    assert set(MODELS) <= set(names)


def test_tokens(anyone):
    by_name = {entry["model"]: entry for entry in prices(anyone)["data"]}
    assert by_name["claude-sonnet-4-6"]["billing_rule"] == "per_token"
    assert by_name["claude-sonnet-4-6"]["price"] == {"unit": "million tokens", "input": 300, "cached_input": 30, "output": 1500}


@pytest.mark.parametrize("name", MODELS)
def test_the_price_is_what_is_reserved(anyone, tester, name):
    entry = next(one for one in prices(anyone)["data"] if one["model"] == name)
    model = MODELS[name]
    made = tester.submit(model.endpoint, model.body(name))
    reserved = made["usage"]["credits_reserved"]
    assert made["usage"]["billing_rule"] == entry["billing_rule"]
    assert float(compute(entry, model.body(name))) == reserved
    assert entry["minimum"] is None or entry["minimum"] <= reserved


def test_it_is_kept_and_told_apart(anyone):
    first = anyone.get(PRICING)
    etag = first.headers["ETag"]
    again = anyone.get(PRICING, {"If-None-Match": etag})
    assert (again.status, again.body, again.headers["ETag"]) == (304, b"", etag)
    assert anyone.get(PRICING, {"If-None-Match": '"else"'}).body == first.body
    assert anyone.request("HEAD", PRICING).status == 200
    assert anyone.request("POST", PRICING).status == 405


def test_other_settings_are_another_list(make_server):
    server = make_server()
    with server.client() as client:
        etag = client.get(PRICING).headers["ETag"]
        server.config.write_text(CONFIG.replace("price = 2.0", "price = 2.5"))
        server.process.send_signal(1)
        eventually(lambda: client.get(PRICING, {"If-None-Match": etag}).status == 200)
        assert prices(client)["group_ratio"]["double"] == 2.5
