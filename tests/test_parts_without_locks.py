"""The parts of a job array on a file system without locks, or without locks and links: all end, with the same bits.

Such a file system is made up in every process, by a `sitecustomize` that has flock and link fail as they do there.
"""

import re

import pytest
from processes import Place

import mbsim

pytestmark = pytest.mark.slow  # real processes

CONFIG = """
name = "parts"
model = "sparse-vector"
grid = { N = [9, 11, 13], d = [3, 5], m = [2, 5, 8], teachers = 2, replicas = 2 }
dynamics = { sweeps = 32 }
"""
SMALLER = "--set grid.N=[9,13] --set grid.m=[5,8]"
NONE = """
import errno, fcntl, os

def fails(*given, **named):
    raise OSError(errno.{error}, os.strerror(errno.{error}))

fcntl.flock = fails
"""
NO_LINKS = "os.link = fails\n"


@pytest.fixture(scope="module")
def whole(tmp_path_factory, cache) -> Place:
    """One process on a file system that has locks."""
    place = Place(tmp_path_factory.mktemp("whole"), cache, CONFIG)
    place.finish()
    return place


@pytest.fixture
def place(tmp_path, cache) -> Place:
    (tmp_path / "site").mkdir()
    made = Place(tmp_path, cache, CONFIG)
    made.environment["PYTHONPATH"] += f":{tmp_path / 'site'}"
    return made


def three_parts(place: Place) -> list[str]:
    """What they say, having ended well."""
    parts = [place.start(f"mbsim run config.toml --out run --part {i}/3") for i in (1, 2, 3)]
    said = [process.communicate() for process in parts]
    assert [process.returncode for process in parts] == [0, 0, 0], said
    assert [errors for _, errors in said if "cannot be locked" in errors or "error" in errors] == []
    return [output for output, _ in said]


@pytest.mark.parametrize(
    "program",
    [NONE.format(error="ENOLCK"), NONE.format(error="ENOSYS"), NONE.format(error="EOPNOTSUPP") + NO_LINKS],
    ids=["ENOLCK", "ENOSYS", "EOPNOTSUPP, and no links"],
)
def test_parts_at_once_where_there_are_no_locks(place, whole, program):
    (place.path / "site" / "sitecustomize.py").write_text(program)
    said = three_parts(place)
    assert all("trained 2 units" in text for text in said)
    assert any("figure: run/order_parameter.png" in text for text in said)  # whoever ended last
    assert place.contents() == whole.contents()


def test_parts_that_grow_a_run_at_once_where_there_are_no_locks(place, whole):
    (place.path / "site" / "sitecustomize.py").write_text(NONE.format(error="ENOLCK"))
    _, errors = place.finish(f"mbsim run config.toml --out run {SMALLER}")
    assert re.search(r"^warning: run cannot be locked \(No locks available\)", errors, re.MULTILINE)
    before = place.written()
    three_parts(place)
    assert before.items() <= place.written().items()  # what was there was not computed again
    assert len(place.verified()) == len(place.folder().units)
    assert mbsim.open_run(place.run).identical(mbsim.open_run(whole.run))
