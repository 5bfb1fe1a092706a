"""Which models there are, and what each language model can read."""
import pytest

ORDER = ["text", "vision", "video", "audio", "file"]
PATH = "/v1/configs/llm_generations_models"


@pytest.fixture
def capabilities(tester):
    body = tester.get(PATH).json()
    assert list(body) == ["object", "data"]
    assert body["object"] == "list"
    assert [model["id"] for model in body["data"]] == sorted(model["id"] for model in body["data"])
    return {model["id"]: model for model in body["data"]}


@pytest.mark.parametrize("name, expected", [
    ("claude-opus-4-7", ["text", "vision", "file"]), ("claude-sonnet-4-6", ["text", "vision", "file"]),
    ("gpt-5.4", ["text", "vision"]), ("gpt-5.5", ["text", "vision"]), ("kimi-k2.6", ["text", "vision"]),
    ("gemini-2.5-pro", ["text", "vision", "video", "audio"]), ("gemini-3-pro-preview", ORDER), ("gemini-3.1-pro-preview", ORDER),
    ("nemotron-3-nano-omni", ["text", "vision", "video", "audio"]), ("deepseek-chat", ["text"]),
])
def test_capabilities(capabilities, name, expected):
    assert capabilities[name]["capabilities"] == expected


def test_each_language_model_has_its_facts(capabilities):
    for model in capabilities.values():
        assert list(model) == ["id", "object", "created", "owned_by", "capabilities", "max_tokens_required",
                               "max_output_tokens"]
        assert model["object"] == "model"
        assert model["capabilities"] == [kind for kind in ORDER if kind in model["capabilities"]]
        assert model["max_output_tokens"] > 0
    assert capabilities["claude-opus-4-7"]["max_tokens_required"] is True
    assert capabilities["gpt-5.5"]["max_tokens_required"] is False


def test_language_models_are_among_the_models(tester, capabilities):
    listed = {model["id"]: model for model in tester.get("/v1/models").json()["data"]}
    assert set(capabilities) <= set(listed)
    for name, model in listed.items():
        is_llm = "llm-generation" in model["supported_endpoint_types"]
        assert is_llm == (name in capabilities)
        assert not is_llm or model["supported_endpoint_types"] == ["openai", "llm-generation"]
    assert listed["claude-opus-4-7"]["owned_by"] == "anthropic"


def test_names_with_a_star_are_no_models(tester, capabilities):
    assert not [name for name in capabilities if "*" in name]
    assert not [model["id"] for model in tester.get("/v1/models").json()["data"] if "*" in model["id"]]


def test_a_key_is_needed(anyone):
    assert anyone.get(PATH).status == 401
