"""Processes that write one run folder at once, and that die while they write."""

import errno
import os

import pytest
from processes import python
from small_runs import contents, fill

from mbsim.errors import RunFolderError


def test_second_writer_is_locked_out_until_the_first_dies(folder):
    code = """if True:
        import sys, time
        from mbsim.data.store import RunFolder
        with RunFolder.open(sys.argv[1]).lock():
            print("locked", flush=True)
            time.sleep(600)
    """
    with python(code, folder.path) as writer:
        try:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "locked\n"
            with (
                pytest.raises(RunFolderError, match=f"written by process {writer.pid} on [^\n]*$"),
                folder.lock(),
            ):
                pass
            assert len(folder.missing()) == 0  # reading needs no lock
        finally:
            writer.kill()
    with folder.lock(), pytest.raises(RunFolderError, match=f"process {os.getpid()} "), folder.lock():
        pass


def test_file_system_without_locks_is_used_with_a_warning(folder, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def unsupported(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with pytest.warns(UserWarning, match="cannot be locked") as caught, folder.lock():
        assert caught[0].filename == __file__


def test_parts_share_a_folder_and_keep_a_lone_writer_out(folder):
    with folder.lock(shared=True), folder.lock(shared=True):
        with (
            pytest.raises(RunFolderError, match="is being written by processes that share it"),
            folder.lock(),
        ):
            pass
    with (
        folder.lock(),
        pytest.raises(RunFolderError, match=f"by process {os.getpid()}"),
        folder.lock(shared=True),
    ):
        pass


KILL_AT_RANDOM = """if True:
    import os, random, signal, sys, time
    from mbsim.data.store import RunFolder
    from small_runs import fill

    folder = RunFolder.open(sys.argv[1])
    fill(folder)  # with all that it needs
    def forget():
        for unit in folder.units:
            folder.record_path(unit).unlink(missing_ok=True)
            for name in folder.contents.variables():
                folder.chunk_path(unit, name).unlink(missing_ok=True)
    forget()
    began = time.perf_counter()
    fill(folder)
    duration = time.perf_counter() - began
    random.seed(1)
    cut = done = 0
    for attempt in range(40):
        forget()
        if not (child := os.fork()):
            with folder.lock():
                while True:
                    fill(folder)
        time.sleep(random.uniform(0.0, 1.5 * duration))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        begun = any(True for _ in folder.path.glob("N*/overlap/c.*"))
        recorded = {path.name for path in (folder.path / "done").iterdir()}
        assert recorded == {folder.record_path(unit).name for unit in folder.units if folder.done(unit)}
        done += len(recorded)
        cut += begun and len(recorded) < len(folder.units)
        with folder.lock():
            folder.prepare()
    forget()
    print("survived", cut, done)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_at_random_times_leaves_only_whole_units(finished, folder):
    with python(KILL_AT_RANDOM, folder.path) as process:
        out, _ = process.communicate(timeout=120)
    assert out.startswith("survived ")
    assert min(map(int, out.split()[1:])) > 0  # some were killed while they wrote, and some had written
    assert process.returncode == 0
    assert folder.missing() == list(folder.units)
    fill(folder)
    resumed, whole = contents(folder.path), contents(finished.path)
    resumed.pop(".lock"), whole.pop(".lock", None)
    assert resumed == whole  # bit for bit the run that nothing interrupted
