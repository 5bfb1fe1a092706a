"""The command line as a person and as a script meet it: every command on a data directory of its own."""
import json
import os
import pathlib
import re
import socket
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from ports import held_port  # noqa: E402

FENNEC = os.environ.get("FENNEC", "build/fennec")
COMMANDS = ["serve", "key create", "key list", "key set", "key revoke", "account create", "account show", "account group",
            "account credit", "account refund", "account ledger", "account suspend", "account resume", "task show", "task list",
            "task retry", "task fail", "callback list", "callback show", "callback replay", "callback test",
            "callback rotate-secret", "model list", "model show", "model check", "model pause", "model resume",
            "provider list", "provider check", "provider pause", "provider resume", "admin-key create", "admin-key list",
            "admin-key revoke", "change list", "settings", "doctor"]


def fennec(*words, code=0):
    done = subprocess.run([FENNEC, *words], capture_output=True, text=True, timeout=120)
    assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
    return done


@pytest.fixture
def data(tmp_path):
    return ["--data", str(tmp_path / "data")]


def lose(*words):
    """Runs a command whose output finds no room; what it says of it."""
    with open("/dev/full", "w") as full:
        done = subprocess.run([FENNEC, *words], stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode == 1, (words, done.returncode, done.stderr)
    return done.stderr


def create(data, *options):
    return fennec("key", "create", *data, "--account", "studio", *options).stdout.strip()


def test_the_overview_names_every_command():
    text = fennec("--help").stdout
    assert all(command in text for command in COMMANDS)
    assert fennec("--version").stdout.startswith("fennec ")
    assert "usage:" in fennec(code=2).stdout
    assert fennec("-h").stdout == text


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command):
    text = fennec(*command.split(), "--help").stdout
    assert text.startswith("usage: ") and command in text and "--json" in text and "--data DIR" in text


def test_the_manual_page_names_every_command():
    page = (pathlib.Path(__file__).resolve().parents[2] / "packaging" / "fennec.1").read_text()
    named = []
    for words in re.findall(r"^\.It Cm (.*)$", page, re.M):
        first, *others = words.split(" | ")
        named += [first] + [first.split()[0] + " " + other for other in others]
    assert sorted(named) == sorted(COMMANDS)


@pytest.mark.parametrize("command", ["task retry", "task fail", "key set", "account ledger"])
def test_an_example_is_of_its_command(command):
    assert f"fennec {command} " in fennec(*command.split(), "--help").stdout.split("\n\n", 2)[2]


@pytest.mark.parametrize("group", ["key", "account", "task", "callback", "model", "provider", "admin-key"])
def test_a_group_lists_its_commands(group):
    text = fennec(group, "--help").stdout
    assert re.findall(r"^  ([\w-]+ [\w-]+)  ", text, re.M) == [command for command in COMMANDS if command.startswith(group + " ")]
    assert fennec(group, code=2).stdout == text
    assert fennec(group, "--json", code=2).stdout == text


@pytest.mark.parametrize("words, says", [
    (["fly"], "no command `fly`"),
    (["key", "fly"], "no command `key fly`"),
    (["key", "create", "--colour", "red"], "no such option"),
    (["key", "create", "--account"], "value is missing"),
    (["key", "create", "--test=yes"], "takes no value"),
    (["task", "show"], "missing"),
    (["task", "list", "surplus"], "too many"),
])
def test_mistakes_in_the_words_are_exit_code_2(words, says):
    assert says in fennec(*words, code=2).stderr


@pytest.mark.parametrize("words, says", [
    (["key", "create"], "--account"),
    (["key", "create", "--account", "a b"], "--account"),
    (["key", "create", "--account", "x" * 65], "--account"),
    (["key", "create", "--account", "a", "--credits", "lots"], "--credits"),
    (["key", "create", "--account", "a", "--credits", "1.0000001"], "--credits"),
    (["key", "create", "--account", "a", "--credits", "-5"], "--credits"),
    (["key", "create", "--account", "a", "--expires", "soon"], "--expires"),
    (["key", "revoke", "sk-live-nothing"], "no valid key"),
    (["key", "list", "--account", "nobody"], "nobody"),
    (["key", "create", "--account", "studio", "--requests-per-minute", "0"], "--requests-per-minute"),
    (["key", "create", "--account", "studio", "--concurrency", "many"], "--concurrency"),
    (["account", "show", "nobody"], "nobody"),
    (["account", "credit", "nobody", "5"], "nobody"),
    (["account", "credit", "nobody", "many"], "AMOUNT"),
    (["task", "show", "task-unified-1757165031-uyujaw3d"], "there is no task"),
    (["task", "show", "7"], "not a task id"),
    (["task", "list", "--status", "done"], "--status"),
    (["task", "list", "--limit", "0"], "--limit"),
    (["model", "show", "no-such-model"], "no-such-model"),
])
def test_mistakes_in_the_values_name_the_value(data, words, says):
    assert says in fennec(*words, *data, code=1).stderr
    assert says in json.loads(fennec(*words, *data, "--json", code=1).stderr)["error"]


@pytest.mark.parametrize("command", ["key list", "settings", "serve"])
def test_a_data_directory_without_a_name_is_refused(command):
    assert "--data" in fennec(*command.split(), "--data", "", code=1).stderr


def test_key_create_prints_the_key_alone(data):
    key = create(data, "--credits", "12.5")
    assert re.fullmatch(r"sk-live-[A-Za-z0-9_-]{43}", key)
    assert re.fullmatch(r"sk-test-[A-Za-z0-9_-]{43}", create(data, "--test"))
    answer = json.loads(fennec("key", "create", *data, "--account", "studio", "--json").stdout)
    assert answer["account"] == "studio" and answer["key"].startswith(answer["prefix"]) and answer["test"] is False


def test_keys_are_listed_by_prefix_and_revoked_once(data):
    key = create(data, "--name", "render-farm", "--expires", "30d")
    create(data, "--test")
    rows = json.loads(fennec("key", "list", *data, "--json").stdout)
    assert [row["mode"] for row in rows] == ["live", "test"]
    assert key.startswith(rows[0]["prefix"]) and rows[0]["name"] == "render-farm" and rows[0]["expires"]
    table = fennec("key", "list", *data, "--account", "studio").stdout
    assert "PREFIX" in table and "render-farm" in table and key not in table
    assert "1" in fennec("key", "revoke", *data, "render-farm").stdout
    assert "no valid key" in fennec("key", "revoke", *data, "render-farm", code=1).stderr
    assert json.loads(fennec("key", "list", *data, "--json").stdout)[0]["revoked"]


def test_limits_of_a_key_are_listed(data):
    create(data, "--requests-per-minute", "30", "--concurrency", "2", "--budget", "500", "--budget-day", "2.5")
    create(data)
    limits = ["requests_per_minute", "concurrency", "budget", "budget_day"]
    rows = json.loads(fennec("key", "list", *data, "--json").stdout)
    assert [[row[limit] for limit in limits] for row in rows] == [[30, 2, 500, 2.5], [None] * 4]
    assert re.search(r" A MINUTE +AT A TIME +BUDGET +A DAY\n.* 30 +2 +500 +2\.5\n", fennec("key", "list", *data).stdout)


def test_limits_of_a_key_are_changed(data):
    """What is not named stays; what is changed is on record."""
    prefix = create(data, "--concurrency", "2", "--budget", "5")[:16]
    changed = json.loads(fennec("key", "set", *data, prefix, "--requests-per-minute", "40", "--budget", "none", "--json").stdout)
    assert changed == {"prefix": prefix, "budget": None, "budget_day": None, "requests_per_minute": 40, "concurrency": 2}
    row = json.loads(fennec("key", "list", *data, "--json").stdout)[0]
    assert (row["requests_per_minute"], row["concurrency"]) == (40, 2)
    actions = [row["action"] for row in json.loads(fennec("change", "list", *data, "--json").stdout)]
    assert actions.count("key.changed") == 1
    assert "--concurrency" in fennec("key", "set", *data, prefix, "--concurrency", "0", code=1).stderr


def test_keys_and_accounts_are_listed_by_name(data):
    for account in ("studio", "rival"):
        fennec("key", "create", *data, "--account", account)
    assert [row["account"] for row in json.loads(fennec("key", "list", *data, "--json").stdout)] == ["studio", "rival"]
    assert re.search(r" studio .*\n.* rival ", fennec("key", "list", *data).stdout)


def test_a_group_that_the_settings_do_not_have_is_said(tmp_path, data):
    config = tmp_path / "config.lua"
    config.write_text("groups = { gold = { price = 0.5 } }\n")
    options = [*data, "--config", str(config)]

    def says(*words):
        return fennec(*words, *options).stderr

    assert "no group gould" in says("key", "create", "--account", "studio", "--group", "gould")
    assert "no group gould" in says("account", "create", "one", "--group", "gould")
    assert "no group gould" in says("account", "group", "one", "gould")
    for account, known in ("two", ["--group", "gold"]), ("three", ["--group", "default"]), ("four", []):
        assert "no group" not in says("key", "create", "--account", "studio", *known)
        assert "no group" not in says("account", "create", account, *known)
    assert "no group" not in says("account", "group", "one", "gold")


def test_a_name_is_revoked_in_one_account_alone(data):
    """Accounts name their keys without knowing of each other."""
    for account in ("studio", "rival"):
        fennec("key", "create", *data, "--account", account, "--name", "laptop")
    assert "--account" in fennec("key", "revoke", *data, "laptop", code=1).stderr
    assert "nobody" in fennec("key", "revoke", *data, "laptop", "--account", "nobody", code=1).stderr
    fennec("key", "revoke", *data, "laptop", "--account", "rival")
    rows = json.loads(fennec("key", "list", *data, "--json").stdout)
    assert [bool(row["revoked"]) for row in rows] == [False, True]
    fennec("key", "revoke", *data, "laptop")
    fennec("key", "revoke", *data, "laptop", code=1)


def test_a_whole_key_can_be_revoked(data):
    keys = [create(data), create(data)]
    fennec("key", "revoke", *data, keys[1])
    rows = json.loads(fennec("key", "list", *data, "--json").stdout)
    assert [bool(row["revoked"]) for row in rows] == [False, True]


def test_credits_go_through_the_ledger(data):
    create(data, "--credits", "10", "--group", "partners")
    fennec("account", "credit", *data, "studio", "2.25", "--note", "invoice 17")
    fennec("account", "credit", *data, "studio", "--", "-0.25")
    assert "less than that" in fennec("account", "credit", *data, "studio", "--", "-1000", code=1).stderr
    account = json.loads(fennec("account", "show", *data, "studio", "--ledger", "--json").stdout)
    assert (account["credits"], account["group"], account["test_credits"]) == (12, "partners", 0)
    assert [entry["credits"] for entry in account["ledger"]] == [10, 2.25, -0.25]
    assert account["ledger"][1]["note"] == "invoice 17"
    text = fennec("account", "show", *data, "studio", "--ledger").stdout
    assert "invoice 17" in text and "credits" in text
    assert "studio" in fennec("account", "show", *data).stdout


def test_a_ledger_is_of_its_days(data):
    create(data, "--credits", "10")
    of_days = ["account", "ledger", *data, "studio", "--from"]
    assert json.loads(fennec(*of_days, "2020-01-01").stdout)["credits"] == 10
    assert fennec(*of_days, "2020-01-01", "--to", "2020-01-01").stdout == ""
    assert "--from" in fennec(*of_days, "2020-01-02", "--to", "2020-01-01", code=1).stderr


def test_the_smallest_amounts_are_written_out(data):
    create(data, "--credits", "0.000002")
    assert re.search(r"credits +0\.000002\n", fennec("account", "show", *data, "studio").stdout)
    fennec("account", "credit", *data, "studio", "--", "-0.000001")
    assert re.search(r" -0\.000001 ", fennec("account", "show", *data, "studio", "--ledger").stdout)


def test_output_that_is_lost_is_a_failure(data):
    """A key is shown once, and a ledger without its end looks whole."""
    create(data, "--credits", "10")
    for words in (["key", "create", "--account", "studio"], ["key", "list"], ["account", "ledger", "studio", "--csv"],
                  ["admin-key", "create"], ["callback", "rotate-secret", "--account", "studio"], ["settings"]):
        assert "could not be written" in lose(*words, *data)
        assert "could not be written" in json.loads(lose(*words, *data, "--json"))["error"]
    for words in (["--help"], ["--version"], ["key", "create", "--help"]):
        lose(*words)


def test_empty_lists_say_what_to_do(data):
    assert "key create" in fennec("key", "list", *data).stdout
    assert "key create" in fennec("account", "show", *data).stdout
    assert fennec("task", "list", *data).stdout == "No tasks.\n"
    assert json.loads(fennec("task", "list", *data, "--json").stdout) == []


def test_the_catalogue_can_be_read(data):
    rows = json.loads(fennec("model", "list", *data, "--json").stdout)
    models = {row["name"]: row for row in rows}
    assert models["local-speech"]["runs"] == "yes" and models["lipsync-2"]["runs"] == "test keys only"
    assert "local-speech" in fennec("model", "list", *data).stdout
    shown = json.loads(fennec("model", "show", *data, "seedance-2.0-text-to-video", "--json").stdout)
    assert shown["parameters"]["properties"]["prompt"]["maxLength"] == 5000
    assert "prompt" in shown["parameters"]["required"]
    text = fennec("model", "show", *data, "seedance-2.0-text-to-video").stdout
    assert "required" in text and "fal" in text
    providers = {row["name"]: row for row in json.loads(fennec("provider", "list", *data, "--json").stdout)}
    assert providers["exec"]["adapter"] and providers["simulator"]["models"] == len(rows)
    assert providers["fal"]["state"] == "needs a key" and providers["fal"]["keys"] == 0
    assert providers["fal"]["hooks"] == "ed25519" and "every 0.5" in providers["fal"]["polls"]


def test_providers_are_listed_with_what_the_settings_say(tmp_path, data):
    config = tmp_path / "config.lua"
    config.write_text('providers = { fal = { key = { "fake-1", "fake-2" }, concurrency = 7, key_concurrency = 3, poll_min = 2 },\n'
                      '              other = { key = "fake-3" } }\n')
    text = fennec("provider", "list", *data, "--config", str(config), "--json").stdout
    assert "fake-" not in text
    rows = {row["name"]: row for row in json.loads(text)}
    fal = rows["fal"]
    assert (fal["state"], fal["keys"], fal["concurrency"], fal["key_concurrency"]) == ("ready", 2, 7, 3)
    assert "every 2 to 5 s" in fal["polls"]
    assert rows["other"]["state"] == "no adapter" and rows["other"]["keys"] == 1


def test_model_check_runs_the_samples_of_shipped_files():
    files = sorted(str(path) for path in pathlib.Path("lua/models").glob("*.lua"))
    rows = json.loads(fennec("model", "check", *files, "--json").stdout)
    assert [row["file"] for row in rows] == files
    silent = {row["file"] for row in rows if row["passed"] == 0}
    assert silent == {"lua/models/llm.lua"} # language models have no results of their own to make
    assert all(row["failed"] == 0 for row in rows)


def test_model_check_names_file_and_line(tmp_path):
    wrong = tmp_path / "wrong.lua"
    wrong.write_text('model "broken" {\n    type = "image",\n    params = { size = integer{ min = "one" } },\n}\n')
    text = fennec("model", "check", str(wrong), code=1).stdout
    assert "wrong.lua:3:" in text and "min" in text
    assert fennec("model", "check", str(tmp_path / "absent.lua"), code=1).stdout.count("absent.lua")


def test_provider_check_takes_names_and_files(tmp_path):
    assert re.search(r"providers/fal.lua +\d+ +0", fennec("provider", "check", "fal").stdout)
    assert "none.lua" in fennec("provider", "check", "none", code=1).stdout
    own = tmp_path / "own.lua"
    own.write_text('return { url = "https://api.example.com",\n'
                   '    submit = function(task) return { post = "/jobs", json = task.input } end,\n'
                   '    accepted = function(reply) return { id = reply.json.id } end,\n'
                   '    samples = {\n'
                   '        { call = "accepted", reply = { json = { id = "j" } }, expect = { id = "j" } } } }\n')
    text = fennec("provider", "check", str(own), code=1).stdout
    assert "own.lua:5" in text and "the adapter has no poll" in text and "no sample calls submit" in text
    own.write_text(own.read_text().replace("accepted =", "acepted =", 1))
    assert "own.lua:3: an adapter has no member acepted" in fennec("provider", "check", str(own), code=1).stdout


def test_settings_are_listed_and_checked(tmp_path, data):
    assert "listen" in fennec("settings", *data).stdout
    rows = {row["name"]: row for row in json.loads(fennec("settings", *data, "--json").stdout)["settings"]}
    assert rows["drain"]["default"] == "20" and rows["listen"]["needs_restart"] and rows["public_url"]["default"] is None
    assert all(row["meaning"] and row["type"] for row in rows.values())
    wrong = tmp_path / "config.lua"
    wrong.write_text('lisen = "127.0.0.1:8080"\n')
    says = fennec("settings", *data, "--config", str(wrong), code=1).stderr
    assert "config.lua" in says and "lisen" in says


def test_settings_that_lead_nowhere_are_said(tmp_path, data):
    """They are valid, so a server starts with them; the settings' own command and the doctor say the same."""
    config = tmp_path / "config.lua"
    options = [*data, "--config", str(config)]
    config.write_text('providers = { exec = { concurrency = 2 }, fal = { key = env "NOBODY_SETS_THIS" }, ollama = {} }\n'
                      'groups = { gold = { models = { "scribe-v2", "kling-*", "ollama/llama3", "ollama/l*", "*" } } }')
    found = json.loads(fennec("settings", *options, "--json").stdout)["doubts"]
    assert found == [{"what": "fal", "words": "configured without a key"}]
    assert "can be read, but:\n  fal: configured without a key\n" in fennec("settings", *options).stdout
    config.write_text('libexec = "/nowhere/at/all"\nproviders = { fall = { key = "fake-key" } }\n'
                      'groups = { gold = { models = { "seedance", "klong-*" } } }')
    says = fennec("settings", *options, "--json", code=1).stdout
    found = {row["what"]: row["words"] for row in json.loads(says)["doubts"]}
    assert found == {"libexec": "there is no directory /nowhere/at/all",
                     "fall": "configured, but it has no adapter: there is no providers/fall.lua",
                     "groups.gold.models": "there is no model `klong-*`"}
    assert "there is no model `seedance`" in says and "fake-key" not in says
    rows = json.loads(fennec("doctor", *options, "--json", code=1).stdout)
    assert all(row["words"] == found[row["what"]] for row in rows if row["what"] in ("libexec", "fall"))
    assert {("libexec", "warning"), ("fall", "problem"), ("groups.gold.models", "warning")} <= {
        (row["what"], row["status"]) for row in rows}


def test_authorities_that_cannot_be_read_are_said(tmp_path, data, monkeypatch):
    options = [*data, "--config", str(tmp_path / "config.lua")]
    (tmp_path / "config.lua").write_text("")
    (tmp_path / "empty.pem").write_text("")
    for file in (tmp_path / "nothing.pem", tmp_path / "empty.pem", tmp_path):
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        says = json.loads(fennec("settings", *options, "--json", code=1).stdout)["doubts"]
        assert says == [{"what": "SSL_CERT_FILE",
                         "words": f"no https service can be asked: {file} is no file with something to read"}]
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")
    assert json.loads(fennec("settings", *options, "--json").stdout)["doubts"] == []


def test_settings_are_listed_beside_a_broken_catalogue(tmp_path, data):
    """Whoever mends it may need them."""
    (tmp_path / "catalog" / "models").mkdir(parents=True)
    (tmp_path / "catalog" / "models" / "broken.lua").write_text("model {\n")
    config = tmp_path / "config.lua"
    options = [*data, "--config", str(config)]
    config.write_text(f'catalog = "{tmp_path / "catalog"}"\n')
    says = fennec("settings", *options, code=1).stdout
    assert "listen" in says and "can be read, but:\n  catalogue: " in says and "broken.lua:" in says
    said = json.loads(fennec("settings", *options, "--json", code=1).stdout)
    assert said["settings"] and [row["what"] for row in said["doubts"]] == ["catalogue"]


def test_installed_settings_have_the_services_data():
    packaging = pathlib.Path(__file__).resolve().parents[2] / "packaging"
    where = re.search(r"^ExecStart=.* --data (\S+)$", (packaging / "fennec.service.in").read_text(), re.M)[1]
    assert f'\ndata = "{where}"\n' in (packaging / "config.lua").read_text()
    assert "is in order" in fennec("settings", "--config", str(packaging / "config.lua")).stdout


def test_doctor_looks_at_everything(tmp_path, data):
    create(data)
    config = tmp_path / "config.lua"
    with held_port() as nobodys:
        config.write_text(f'listen = "127.0.0.1:{nobodys}"\n')
        rows = {row["what"]: row for row in json.loads(fennec("doctor", *data, "--config", str(config), "--json").stdout)}
    assert {"fennec", "settings", "store", "ledger", "disk", "catalogue", "server"} <= set(rows)
    assert rows["ledger"]["status"] == "ok" and rows["local-speech"]["status"] == "ok"
    assert rows["server"]["status"] == "warning"
    config.write_text("groups = 7\n")
    assert "problem" in fennec("doctor", *data, "--config", str(config), code=1).stdout


def test_an_address_of_ipv6_is_found(tmp_path, data, monkeypatch):
    create(data)
    config = tmp_path / "config.lua"
    monkeypatch.setenv("FENNEC_ADMIN_KEY", "fake-key")
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    url = f"http://[::1]:{listener.getsockname()[1]}/"
    with listener:
        config.write_text(f'listen = "{url[7:-1]}"\n')
        options = [*data, "--config", str(config)]
        rows = {row["what"]: row for row in json.loads(fennec("doctor", *options, "--json").stdout)}
        assert rows["server"]["words"] == f"answers on {url}"
    says = fennec("task", "retry", *options, "task-unified-1757165031-uyujaw3d", code=1).stderr
    assert f"{url}admin/v1/tasks" in says and "illegal" not in says


def test_doctor_asks_whether_providers_are_there(tmp_path, data):
    create(data)
    config = tmp_path / "config.lua"

    def rows(settings, code):
        config.write_text(settings)
        found = json.loads(fennec("doctor", *data, "--config", str(config), "--json", code=code).stdout)
        return {(row["what"], row["status"]): row["words"] for row in found}

    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        found = rows(f'providers = {{ fal = {{ url = "{url}" }} }}', 0)
        assert found["fal", "warning"] == "configured without a key"
        assert found["fal", "ok"] == f"{url} can be reached"
        assert "call back" in found["public_url", "warning"]
    with held_port() as nobodys:
        url = f"http://127.0.0.1:{nobodys}"
        found = rows('public_url = "https://media.example.com"\n'
                     f'providers = {{ fal = {{ key = "fake-key", url = "{url}" }} }}', 1)
    assert found["fal", "problem"].startswith(f"{url} cannot be reached: ")
    assert not any(what == "public_url" for what, _ in found)
    found = rows('providers = { nobody = { key = "fake-key" } }', 1)
    assert "providers/nobody.lua" in found["nobody", "problem"]
    assert "fake-key" not in str(found)


def test_serve_says_why_it_cannot(tmp_path, data):
    file = tmp_path / "file"
    file.write_text("")
    assert "file" in fennec("serve", "--data", str(file), code=1).stderr
    assert "listen" in fennec("serve", *data, "--listen", "nowhere", code=1).stderr.lower()
    assert fennec("serve", *data, "--config", str(tmp_path / "absent.lua"), code=1).stderr.count("absent.lua")
