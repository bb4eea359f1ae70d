"""A disk that is really full under `mbsim export` and `mbsim merge`: one line, exit code 75, nothing half-written.

The disk is a file system of a few kilobytes; the runs that are read are on another.
"""

import re

import pytest
from processes import Place, small_disk
from small_runs import contents, fill, small_config

import mbsim
from mbsim.data.store import RunFolder

pytestmark = pytest.mark.slow  # real processes

COMMANDS = {"export": "mbsim export whole disk/{name}", "merge": "mbsim merge part other --out disk/{name}"}


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Place:
    """A run, and two of parts of its grid."""
    made = Place(tmp_path_factory.mktemp("runs"), tmp_path_factory.mktemp("none"), "")
    for name, m in (("whole", [4, 6, 40]), ("part", [4]), ("other", [6, 40])):
        fill(RunFolder.create_or_open(made.path / name, small_config(m=m, teachers=8)))
    return made


@pytest.fixture
def disk(place):
    with small_disk(place.path / "disk") as mount:
        yield mount
    (place.path / "disk").rmdir()


@pytest.mark.parametrize("name", ["out.nc", "out.h5", "out.zarr", "out"])
@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_is_half_written_on_a_full_disk(place, disk, command, name):
    words = COMMANDS[command].format(name=name)
    before = contents(place.path)
    for kilobytes in (4, 60, 200):  # full at the first file, and later
        disk(f"size={kilobytes}k")
        process = place.start(words)
        output, errors = process.communicate()
        assert (process.returncode, output) == (75, ""), errors
        assert re.fullmatch(rf"error: .*No space left on device.*disk/{re.escape(name)}.*\n", errors)
        assert list((place.path / "disk").iterdir()) == []
        assert contents(place.path) == before
    disk("size=64m")
    place.finish(words)
    if name == "out" and command == "export":
        assert mbsim.open_run(place.path / "disk" / name).identical(mbsim.open_run(place.path / "whole"))
