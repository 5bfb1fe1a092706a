"""What operators need: health, figures, logs, reload, an orderly end."""
import contextlib
import json
import os
import re
import signal
import subprocess

import pytest

from catalogue import IMAGE, MODELS, VIDEO
from client import Raw, eventually
from conftest import FENNEC


def test_health(anyone):
    assert anyone.get("/healthz").json() == {"status": "ok"}
    assert anyone.get("/readyz").json() == {"status": "ready"}


def figures(client):
    text = client.get("/metrics").body.decode()
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if not line.startswith("#")}


def test_metrics_are_in_the_prometheus_format(anyone):
    response = anyone.get("/metrics")
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    text = response.body.decode()
    assert text.endswith("\n")
    described, typed = {}, {}
    for line in text.splitlines():
        if match := re.fullmatch(r"# HELP ([a-z_]+) (\S.*)", line):
            assert match[1] not in described
            described[match[1]] = match[2]
        elif match := re.fullmatch(r"# TYPE ([a-z_]+) (counter|gauge|histogram)", line):
            typed[match[1]] = match[2]
        else:
            match = re.fullmatch(r'([a-z_]+)(\{[a-z]+="[^"]*"\})? ([0-9.e+]+)', line)
            assert match, line
            name = re.sub(r"_(bucket|sum|count)$", "", match[1]) if match[1] not in typed else match[1]
            assert name in described and name in typed, line
    assert set(described) == set(typed)
    assert len(described) > 20


def test_metrics_count(make_server):
    one = make_server()
    with one.client(one.key("someone", test=True)) as client:
        before = figures(client)
        client.completed(IMAGE, {"model": "phota-image", "prompt": "x"})
        client.run(VIDEO, {"model": "seedance-2.0-text-to-video", "prompt": "fennec:error"})
        client.get("/nowhere")
        ended = "fennec_tasks_failed_total"  # a task is counted a moment after it is shown
        after = eventually(lambda: (now := figures(client))[ended] > before[ended] and now)
    for name, step in (("fennec_tasks_accepted_total", 2), ("fennec_tasks_completed_total", 1), ("fennec_tasks_failed_total", 1),
                       ("fennec_artifacts_stored_total", 1), ('fennec_http_requests_total{status="4xx"}', 1)):
        assert after[name] - before[name] == step, name
    assert after['fennec_http_requests_total{status="2xx"}'] > before['fennec_http_requests_total{status="2xx"}']
    assert after["process_resident_memory_bytes"] > 1000000
    assert after["process_open_fds"] > 5
    buckets = [value for name, value in after.items() if "_bucket" in name]
    assert buckets == sorted(buckets)
    assert buckets[-1] == after["fennec_http_request_duration_seconds_count"]


def test_the_model_list(tester):
    body = tester.get("/v1/models").json()
    assert list(body) == ["object", "data"]
    assert body["object"] == "list"
    listed = {model["id"]: model for model in body["data"]}
    assert set(MODELS) <= set(listed)
    for name, model in MODELS.items():
        assert list(listed[name]) == ["id", "object", "created", "owned_by", "supported_endpoint_types"]
        assert listed[name]["object"] == "model"
        assert listed[name]["supported_endpoint_types"] == [f"{model.type}-generation"]
    assert [model["id"] for model in body["data"]] == sorted(listed)


def test_log_lines_are_json_when_asked(make_server):
    one = make_server('log = { format = "json", level = "debug" }\nsimulator = { seconds = 0 }')
    with one.client(one.key("someone", test=True)) as client:
        made = client.submit(IMAGE, {"model": "phota-image", "prompt": "a-secret-prompt"})
        client.finished(made["id"])
        response = client.get("/v1/tasks/nonsense?sync_upstream=hidden-query")
    assert one.stop() == 0
    lines = [json.loads(line) for line in one.log.read_text().splitlines()]
    requests = [line for line in lines if line.get("path") == "/v1/tasks/nonsense"]
    assert len(requests) == 1
    assert requests[0]["request"] == response.headers["X-Request-Id"]
    assert requests[0]["status"] == 400
    assert requests[0]["us"] > 0
    assert any(line.get("task") == made["id"] and "request" in line for line in lines)
    text = one.log.read_text()
    for word in ("a-secret-prompt", "hidden-query", client.key):
        assert word not in text


def test_prompts_are_logged_only_where_the_operator_asks(make_server):
    for setting, level, logged in (("false", "debug", False), ("true", "info", True)):
        one = make_server('log = { format = "json", prompts = %s, level = "%s" }\nsimulator = { seconds = 0 }' % (setting, level))
        with one.client(one.key("someone", test=True)) as client:
            made = client.submit(IMAGE, {"model": "phota-image", "prompt": "a-secret-prompt"})
        assert one.stop() == 0
        lines = [json.loads(line) for line in one.log.read_text().splitlines()]
        submitted = [line for line in lines if line["message"] == "task submitted"]
        assert [line["task"] for line in submitted] == [made["id"]] and submitted[0]["request"].startswith("req-")
        assert ("a-secret-prompt" in submitted[0].get("input", "")) is logged
        assert ("a-secret-prompt" in one.log.read_text()) is logged


def test_reload_takes_new_settings_and_drops_nothing(make_server):
    one = make_server("simulator = { seconds = 0.2 }")
    with one.client(one.key("someone", test=True)) as client:
        slow = client.submit(IMAGE, {"model": "phota-image", "prompt": "fennec:slow=2"})
        assert client.submit(IMAGE, {"model": "phota-image", "prompt": "x"})["usage"]["credits_reserved"] == 8
        one.config.write_text("simulator = { seconds = 0.2 }\ngroups = { default = { price = 3.0 } }\n")
        one.process.send_signal(signal.SIGHUP)
        eventually(lambda: client.submit(IMAGE, {"model": "phota-image", "prompt": "x"})["usage"]["credits_reserved"] == 24)
        task = client.finished(slow["id"])
        assert (task["status"], task["usage"]["credits_charged"]) == ("completed", 8)


def test_after_a_reload_all_threads_go_by_the_new_settings(make_server):
    """Each HTTP thread keeps the settings at hand, and connections go to the threads by turns."""
    settings = "http = { threads = 4 }\nsimulator = { seconds = 0 }\ngroups = { default = { price = %d } }\n"
    one = make_server(settings % 1)
    key = one.key("someone", test=True)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(one.client(key)) for _ in range(8)]

        def prices(which):
            return [client.submit(IMAGE, {"model": "phota-image", "prompt": "x"})["usage"]["credits_reserved"] for client in which]

        assert prices(clients) == [8] * 8
        for price in (2, 3):
            one.config.write_text(settings % price)
            one.process.send_signal(signal.SIGHUP)
            eventually(lambda: prices(clients[:1]) == [8 * price])
            assert prices(clients) == [8 * price] * 8


def test_a_mistake_in_the_settings_leaves_the_old_ones(make_server):
    one = make_server("simulator = { seconds = 0 }")
    with one.client(one.key("someone", test=True)) as client:
        one.config.write_text("listen = {\n")
        one.process.send_signal(signal.SIGHUP)
        eventually(lambda: "config.lua" in one.log.read_text())
        assert client.completed(IMAGE, {"model": "phota-image", "prompt": "x"})


def test_sigterm_drains(make_server, gated, tmp_path):
    """Running work ends; new submissions hear 503; queries are answered to the last."""
    one, gate = make_server(gated + "drain = 86400"), tmp_path / "gate"
    key, body = one.key("someone", credits=1000), {"model": "gated", "prompt": str(gate)}
    with one.client(key) as client:
        running = client.submit(IMAGE, body)["id"]
        eventually(lambda: client.task(running)["progress"] == 40)
        one.process.send_signal(signal.SIGTERM)
        response = eventually(lambda: (lambda r: r if r.status != 200 else None)(client.post(IMAGE, body)))
        assert response.status == 503
        error = response.error()
        assert (error["type"], error["code"]) == ("service_unavailable", "shutting_down")
        assert int(response.headers["Retry-After"]) > 0
        assert response.headers["Connection"] == "close"
        ready = client.get("/readyz")
        assert (ready.status, ready.json()["status"]) == (503, "unavailable")
        assert client.task(running)["status"] == "processing"
    gate.touch()
    assert one.process.wait(timeout=60) == 0
    one.process.stdout.close()
    one.start()
    with one.client(key) as client:
        assert client.task(running)["status"] == "completed"


def test_what_does_not_end_in_time_is_taken_up_again(make_server):
    one = make_server("simulator = { seconds = 0.2 }\ndrain = 0")
    key = one.key("someone", test=True)
    with one.client(key) as client:
        made = client.submit(IMAGE, {"model": "phota-image", "prompt": "fennec:slow=2"})
    assert one.stop() == 0
    one.start()
    with one.client(key) as client:
        assert client.finished(made["id"])["status"] == "completed"


def test_a_second_server_on_the_same_data_is_refused(server):
    run = subprocess.run([FENNEC, "serve", "--data", str(server.data), "--config", str(server.config), "--listen", "127.0.0.1:0"],
                         capture_output=True, text=True, timeout=60)
    assert run.returncode != 0
    assert str(server.data) in run.stderr or "already" in run.stderr, run.stderr


def test_an_address_in_use_is_said(server, tmp_path):
    run = subprocess.run([FENNEC, "serve", "--data", str(tmp_path / "data"), "--config", str(server.config),
                          "--listen", server.address], capture_output=True, text=True, timeout=60)
    assert run.returncode != 0
    assert server.address in run.stderr and "in use" in run.stderr, run.stderr


@pytest.mark.skipif(not os.path.exists("/proc/sys/net/ipv6"), reason="no IPv6 on this machine")
def test_ipv6(make_server):
    one = make_server(listen="[::1]:0")
    assert one.address.startswith("[::1]:")
    with one.client(one.key("someone", test=True)) as client:
        task = client.completed(IMAGE, {"model": "phota-image", "prompt": "x"})
        assert task["results"][0]["url"].startswith(f"http://{one.address}/")


def test_stopping_with_open_connections(make_server):
    one = make_server()
    idle = [Raw(one) for _ in range(5)]
    idle[0].send("GET /heal")
    assert one.stop() == 0
    for raw in idle:
        assert raw.closed()
        raw.__exit__()
