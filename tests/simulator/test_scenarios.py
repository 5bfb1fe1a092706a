"""Every scenario in scenarios/: real Fennec, real HTTP, services that answer as its file says (words: scenario.py)."""
import pathlib

import pytest

import scenario

FILES = sorted((pathlib.Path(__file__).parent / "scenarios").glob("*.scenario"))


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_scenario(make_server, path):
    stage = scenario.Stage(scenario.parse(path), make_server)
    try:
        stage.play()
    finally:
        stage.close()


@pytest.mark.parametrize("line", ["poll", "submitt accepted", "at submit", "expect completed", "task often", "with {",
                                  "speed fast"])
def test_a_mistake_in_a_scenario_names_its_line(tmp_path, line):
    path = tmp_path / "wrong.scenario"
    path.write_text(f"# Wrong.\n{line}\n")
    with pytest.raises(ValueError, match=r"wrong\.scenario:2: "):
        scenario.parse(path)
