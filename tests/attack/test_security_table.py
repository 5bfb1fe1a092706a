"""SECURITY.md holds what it promises: each line of its tables names tests, and each of those is there."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAMED = re.compile(r"`([\w./*-]+\.(?:py|c|scenario))(?:: ([\w, ]+))?`")


def rows():
    """The last column of each line of the table of defences, by its first."""
    text = (ROOT / "SECURITY.md").read_text()
    table = text[text.index("| threat |"):].split("\n\n")[0].splitlines()[2:]
    return {cells[1].strip(): cells[3].strip() for cells in (line.split("|") for line in table)}


def runs(path, name):
    """Whether the test is defined in that file and run from it."""
    source = (ROOT / path).read_text()
    if path.endswith(".py"):
        return re.search(rf"^def {name}\(", source, re.M) is not None
    # a C test is run by its name once more, in the list of the group
    defined = re.search(rf"^static void {name}\(void \*\*", source, re.M)
    return defined is not None and len(re.findall(rf"\b{name}\b", source)) >= 2


def test_each_line_names_a_test_that_is_there():
    found = rows()
    assert len(found) >= 20
    missing = []
    for threat, held in found.items():
        names = NAMED.findall(held)
        if not names:
            missing.append((threat, "no test"))
        for path, tests in names:
            if not (ROOT / path).is_file() or not tests:
                missing.append((threat, path, "no such file, or no test of it named"))
                continue
            missing += [(threat, path, name) for name in tests.split(", ") if not runs(path, name)]
    assert missing == []


def test_a_line_that_names_nothing_would_be_found():
    """The reader of the table sees what it should."""
    assert NAMED.findall("`tests/api/test_x.py: test_a, test_b`, `tests/unit`") == [("tests/api/test_x.py", "test_a, test_b")]
    assert not runs("tests/attack/test_security_table.py", "test_that_is_not_there")
    assert not runs("tests/unit/net/test_guard.c", "is_not_there")
