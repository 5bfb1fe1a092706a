"""A stage for each test, closed whatever happens."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from faults import Stage  # noqa: E402


@pytest.fixture
def make_stage(tmp_path_factory):
    """Makes stages, not started yet."""
    made = []

    def make(*settings, **options):
        made.append(Stage(tmp_path_factory.mktemp("stage"), *settings, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()
