"""Files that are there whole or not at all, and one writer to a folder; nothing here knows what they hold."""

import errno
import io
import os
import platform
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import xarray as xr

from mbsim.errors import DatasetError, MbsimError, RunFolderError

LOCK = ".lock"
TEMPORARY = ".tmp-"
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
    temporary = path.with_name(f"{TEMPORARY}{path.name}-{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:  # Ctrl-C too
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


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
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder; `RunFolderError` when another process holds it."""
    try:
        import fcntl
    except ImportError:  # not on Windows: there, keeping a second writer away is left to the user
        yield
        return
    with one_line_errors(RunFolderError, f"{folder} cannot be written"):
        file = (folder / LOCK).open("a+")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = file.read().strip() or "another process"
            raise RunFolderError(
                f"{folder} is being written by {owner}: wait until it ends, or stop it"
            ) from None
        except OSError as error:  # some network file systems have no locks
            text = f"{folder} cannot be locked ({error.strerror}): start no second run there"
            warnings.warn(text, stacklevel=3)
        file.truncate(0)
        file.write(f"process {os.getpid()} on {platform.node()}")
        file.flush()
        yield


@contextmanager
def one_line_errors(kind: type[MbsimError], text: str) -> Iterator[None]:
    """Errors of the file system as `kind` with `text`; but not a full disk, which is no wrong usage."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise kind(f"{text}: {error.strerror or error}") from error
