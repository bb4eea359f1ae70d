"""Files that are there whole or not at all, and one writer to a folder; nothing here knows what they hold."""

import io
import os
import platform
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import xarray as xr

from mbsim.errors import NO_ROOM, DatasetError, MbsimError, RunFolderError

LOCK = ".lock"
TEMPORARY = ".tmp-"
LOOKS, BETWEEN = 10, 0.02  # at a lock that is held, and seconds
LARGE = 16_384  # bytes; less than that is not worth compressing


def netcdf_bytes(dataset: xr.Dataset) -> bytes:
    """The dataset as a netCDF-4 file, its large variables compressed.

    Made in memory, since HDF5 that meets a full disk brings the process down (measured: segmentation fault).
    """
    large = [name for name, v in dataset.data_vars.items() if v.dtype.kind in "fi" and v.nbytes >= LARGE]
    encoding = {name: {"zlib": True, "complevel": 1, "shuffle": True} for name in large}
    buffer = io.BytesIO()
    dataset.to_netcdf(buffer, engine="h5netcdf", format="NETCDF4", encoding=encoding)
    return buffer.getvalue()


def write_atomically(path: Path, *parts: bytes) -> None:
    """Write, sync, rename, sync the folder; on any error `path` is as it was and nothing else is left."""
    put(path, b"".join(parts), path.parent, durable=True)
    sync(path.parent)


def put(path: Path, content: bytes, beside: Path, durable: bool = False) -> None:
    """Write under a temporary name in the folder `beside`, of the same file system, and rename: `path` has the whole
    content or what it had before, and on any error nothing else is left. An empty folder in its place goes. Errors
    name `path`.

    durable: whether to wait until the disk has it (some milliseconds), so that it survives a power cut as well.
    """
    temporary = beside / _temporary(path.name)
    try:
        with temporary.open("wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        try:
            os.replace(temporary, path)
        except IsADirectoryError:
            path.rmdir()
            os.replace(temporary, path)
    except BaseException as error:  # Ctrl-C too
        temporary.unlink(missing_ok=True)
        # Of a full disk the system names no file, and the other name tells nobody anything.
        if isinstance(error, OSError) and error.filename in (None, os.fspath(temporary)):
            error.filename = os.fspath(path)
            del error.filename2  # None would be shown as a second name
        raise


def _temporary(name: str) -> str:
    """A name that no other process takes; those of machine and process may be the same in several containers."""
    return f"{TEMPORARY}{os.urandom(8).hex()}-{name}"


def put_new(path: Path, content: bytes) -> None:
    """As `write_atomically`, but what another process wrote there first stays."""
    temporary = path.with_name(_temporary(path.name))
    write_atomically(temporary, content)
    try:
        os.link(temporary, path)
    except FileExistsError:
        return
    except OSError:  # a file system without links
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
        sync(path.parent)


def folder_of(path: str | os.PathLike[str], label: str = "run folder") -> Path:
    """The path of a run folder; `RunFolderError` where it names none, as a variable of the shell that is not set."""
    text = os.fsdecode(path)
    if not text or "\0" in text:
        raise RunFolderError(f"{label} {text!r}: must name a folder")
    path = Path(text)
    for one in (path, *path.parents):
        if os.path.islink(one) and not os.path.exists(one):
            raise RunFolderError(f"{one} is a link to {one.readlink()}, and nothing is there")
    return path


def must_be_new(path: Path) -> None:
    """Refuse to write over something, or where there is no folder.

    Raises:
        DatasetError: something is at `path`, or it cannot be written.
    """
    if os.path.lexists(path):
        raise DatasetError(f"{path} exists already: remove it, or choose another name")
    if not path.parent.is_dir():
        raise DatasetError(f"{path} cannot be written: {path.parent} is no folder")


def sync(path: Path) -> None:
    """Have a file's content, or a folder's names, survive a power cut."""
    if path.is_file() or os.name == "posix":  # not every system can sync folders
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def locked(folder: Path, shared: bool = False) -> Iterator[None]:
    """Hold the lock of a folder; `RunFolderError` when another process holds it.

    shared: with others that share it. Such processes do not wait for each other, and go on where there are no locks.
    """
    try:
        import fcntl
    except ImportError:  # not on Windows: there, keeping a second writer away is left to the user
        yield
        return
    with one_line_errors(RunFolderError, f"{folder} cannot be written"):
        file = (folder / LOCK).open("a+")
    with file:
        try:
            _take(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        except BlockingIOError:
            file.seek(0)
            owner = file.read().strip() or "another process"
            raise RunFolderError(
                f"{folder} is being written by {owner}: wait until it ends, or stop it"
            ) from None
        except OSError as error:  # some network file systems have no locks
            if not shared:
                text = f"{folder} cannot be locked ({error.strerror}): start no second run there"
                warnings.warn(text, stacklevel=3)
        file.truncate(0)
        file.write("processes that share it" if shared else f"process {os.getpid()} on {platform.node()}")
        file.flush()
        yield


def _take(file: IO[str], kind: int) -> None:
    """Lock a file; whoever only looks whether it is locked (`mbsim status`) holds it for a moment."""
    import fcntl

    for left in reversed(range(LOOKS)):
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if not left:
                raise
            time.sleep(BETWEEN)
        else:
            return


@contextmanager
def one_line_errors(kind: type[MbsimError], text: str) -> Iterator[None]:
    """Errors of the file system as `kind` with `text`; but not a full disk, which is no wrong usage."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise
        name = error.filename2 or error.filename
        where = f" ({name})" if name and str(name) not in text else ""
        raise kind(f"{text}: {error.strerror or error}{where}") from error
