"""/openapi.json and /docs, as the tools and the people that they are for see them."""
import json
import os
import subprocess
import urllib.request

import pytest

from clients.talk import FOLDER
from house import Server

OFFLINE = {**os.environ, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "CI": "1",
           "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "no_proxy": "127.0.0.1"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    one = Server(tmp_path_factory.mktemp("described"), "")
    one.start()
    yield one
    one.close()


@pytest.fixture(scope="module")
def document(server, tmp_path_factory):
    path = tmp_path_factory.mktemp("document") / "openapi.json"
    with urllib.request.urlopen(f"http://{server.address}/openapi.json") as response:
        path.write_bytes(response.read())
    return path


def tool(name, *arguments, folder=FOLDER):
    program = FOLDER / "node_modules" / ".bin" / name
    assert program.exists(), f"the clients are not installed: npm ci --prefix {FOLDER}"
    return subprocess.run([program, *arguments], cwd=folder, env=OFFLINE, capture_output=True, text=True, timeout=300)


def test_redocly_has_nothing_to_say(document):
    run = tool("redocly", "lint", str(document), "--format", "json", "--config", str(FOLDER / "redocly.yaml"))
    said = json.loads(run.stdout[run.stdout.index("{"):])
    assert [f"{one['ruleId']}: {one['message']}: {one['location'][0]['pointer']}" for one in said["problems"]] == []
    assert run.returncode == 0, run.stderr


@pytest.fixture(scope="module")
def program(document, tmp_path_factory):
    """described.ts, compiled against the types that the document gives."""
    folder = tmp_path_factory.mktemp("typed")
    for name in ("described.ts", "tsconfig.json", "package.json"):
        (folder / name).write_bytes((FOLDER / name).read_bytes())
    (folder / "node_modules").symlink_to(FOLDER / "node_modules")
    types = tool("openapi-typescript", str(document), "--default-non-nullable=false", "-o", str(folder / "described-types.ts"))
    assert types.returncode == 0, types.stderr
    compiled = tool("tsc", "--project", str(folder), "--strict", folder=folder)
    assert compiled.returncode == 0, compiled.stdout
    return folder / "described.js"


def test_a_generated_client_goes_through_a_tasks_life(server, program):
    key = server.cli("key", "create", "--account", "typed", "--test").strip()
    run = subprocess.run(["node", program.name, f"http://{server.address}", key], cwd=program.parent, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    said = json.loads(run.stdout)
    assert said["estimate"]["object"] == "estimate" and said["estimate"]["usage"]["credits_reserved"] == 1
    assert said["task"]["status"] == "completed" and "/v1/artifacts/" in said["url"]
    assert said["events"].count("event: done") == 1
    assert (said["cancelled"], said["missing"], said["wrong"]) == ("task_final", "task_not_found", "model")
    assert said["models"] > 30 and said["voices"] == 17 and said["credits"] is True


@pytest.fixture(scope="module")
def seen(server):
    run = subprocess.run(["node", "docs.mjs", f"http://{server.address}"], cwd=FOLDER, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_the_page_needs_nothing_else(seen):
    assert seen["console"] == [] and seen["foreign"] == []


def test_an_endpoint_and_a_model_are_shown(seen, document):
    described = json.loads(document.read_text())
    operations = sum(len(methods) for methods in described["paths"].values())
    models = [name for name in described["components"]["schemas"] if name.startswith("model.")]
    assert len(seen["all"]) == operations + len(models)
    assert "/v1/tasks/{task_id}" in seen["endpoint"] and "sync_upstream" in seen["endpoint"] and "task_not_found" in seen["endpoint"]
    assert "Authorization: Bearer" in seen["submission"]
    assert "local-image" in seen["model"] and "image_size.width" in seen["model"] and "64 to 2048" in seen["model"]


def test_the_search(seen):
    assert sorted(seen["found"]) == ["model-local-image", "model-local-image-to-video"] and seen["status"] == "2 found"
    assert seen["nothing"] == [[], "Nothing found"] and seen["again"] == len(seen["all"])


def test_on_a_phone(seen):
    scrolled, width = seen["widths"]["phone"]
    assert width == 390 and scrolled <= width
    assert seen["menu"] and seen["closed"]


def test_without_scripts_it_is_a_list(seen, document):
    described = json.loads(document.read_text())
    assert len(seen["plain"]) == sum(len(methods) for methods in described["paths"].values())
    assert any(line.startswith("GET /v1/tasks/{task_id}") for line in seen["plain"]) and seen["link"] == 1
