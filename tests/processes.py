"""A run in a folder of its own, by real processes that may be stopped, and a small file system to fill.

Processes run a copy of the package, so that who edits it or commits meanwhile changes neither what they write nor
the commit in it.
"""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import mbsim
from mbsim.data.store import RunFolder

PROMPT = 60  # seconds from a signal to the end, on a busy machine
RUN = "mbsim run config.toml --out run"


def copy_of_package(folder: Path) -> Path:
    """The folder, with a copy of the package."""
    without = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(mbsim.__file__).parent, folder / "mbsim", ignore=without)
    return folder


def python(code: str, *arguments: object, **options) -> subprocess.Popen:
    """Start a Python process that can import what tests share."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, **options)


class Place:
    """A folder with a configuration, and processes that work there."""

    def __init__(self, path: Path, cache: Path, config: str):
        """`cache`: where the copy of the package is, and what is compiled is kept for all processes."""
        self.path = path
        self.run = path / "run"
        (path / "config.toml").write_text(config)
        self.environment = os.environ | {
            "JAX_COMPILATION_CACHE_DIR": str(cache / "jax"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "PYTHONPATH": str(cache),
        }

    def start(self, command: str = RUN) -> subprocess.Popen:
        program, *arguments = shlex.split(command)
        assert program == "mbsim"
        return subprocess.Popen(
            [sys.executable, "-m", "mbsim.cli", *arguments],
            cwd=self.path,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, command: str = RUN) -> tuple[str, str]:
        """Run to the end; standard output and error."""
        process = self.start(command)
        output, errors = process.communicate()
        assert process.returncode == 0, errors
        return output, errors

    def stop(
        self, number: signal.Signals, done: int, delay: float = 0.0, command: str = RUN
    ) -> tuple[int, str]:
        """Send a signal `delay` seconds after `done` units are there; exit code and standard error."""
        process = self.start(command)
        while len(self.units()) < done and process.poll() is None:
            time.sleep(0.001)
        time.sleep(delay)
        process.send_signal(number)
        _, errors = process.communicate(timeout=PROMPT)
        return process.returncode, errors

    def folder(self) -> RunFolder:
        return RunFolder.open(self.run)

    def units(self) -> set[str]:
        return {path.name for path in (self.run / "done").glob("*.json")}

    def verified(self) -> set[str]:
        """Names of the units that are whole; all that have a record must be."""
        folder = self.folder()
        done = {folder.record_path(unit).name for unit in folder.units if folder.done(unit)}
        assert done == self.units()
        return done

    def contents(self) -> dict[str, bytes]:
        files = (path for path in self.run.rglob("*") if path.is_file() and path.name != ".lock")
        return {str(path.relative_to(self.run)): path.read_bytes() for path in files}

    def written(self) -> dict[str, int]:
        return {name: (self.run / "done" / name).stat().st_mtime_ns for name in self.units()}


@contextmanager
def small_disk(folder: Path) -> Iterator[Callable[[str], None]]:
    """Mounts a small file system at `folder` with options, then again with others; it is taken away at the end."""
    folder.mkdir()

    def mount(options: str) -> None:
        again = "remount," if os.path.ismount(folder) else ""
        command = ["mount", "-t", "tmpfs", "-o", again + options, "tmpfs", str(folder)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("may not mount a small file system here")

    try:
        yield mount
    finally:
        if os.path.ismount(folder):
            subprocess.run(["umount", str(folder)], check=True)
