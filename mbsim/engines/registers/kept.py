"""Compiled functions with names of their own, and machine code that outlasts the process.

numba's `cache=True` cannot keep these functions. It knows a function by its file, its bytecode and a hash of
what its closure holds. The closures here hold other compiled functions, which are hashed as they are pickled,
with an identifier that each process draws anew (`Dispatcher._reduce_states`; numba issue 6264): what one
process has saved, no other finds. Functions that are reached through the module's names are not hashed at all:
what was saved outlives changes in them. So files are kept here, by `kept`:

* a file is named by, and holds, all that it was made for: the function's name, the signature, a hash of the
  sources, the compilers' versions, the processor and its features;
* it begins with a hash of the rest, appears under its name only when it is whole, and is never changed.

Nor would it be safe to load what other processes saved if numba named it. In the machine code it tells functions
of one name apart by a counter that starts anew in every process. Where objects from two processes are loaded
together and hold the same name for different functions, the linker takes the first for both, and numbers are
wrong without a word (numba issues 10486 and 5128). So `named` gives every function a name that follows from
what its closure holds: functions of one name are the same function.

Files lie where numba keeps its own: `__pycache__` beside this one, else the user's cache folder, or
NUMBA_CACHE_DIR; but in a folder of the user's own where others may write that one, for what is loaded is executed.
None is ever deleted (100 to 200 kB each). Whatever is wrong with files only costs the compiling.
"""

import hashlib
import os
import pickle
import platform
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba.core.caching import CompileResultCacheImpl, NullCache
from numba.core.dispatcher import Dispatcher
from numba.core.serialize import dumps

try:
    from mbsim.engines.registers.parts import PART, WHOLE
except (ImportError, AttributeError):  # a numba whose inside is another: compiling takes longer
    PART, WHOLE = {}, {}

DIGEST = 32  # bytes

use_files = True
"""Whether files are read and written; tests that change functions set it to False."""


def digest_of_sources() -> str:
    """Of the files of this package, of those beside it that compile functions, and of what both take numbers from."""
    here = Path(__file__).parent
    others = here.parent / "drawing", here.parents[1] / "sampling"
    files = sorted([*here.glob("*.py"), *(file for folder in others for file in folder.glob("*.py"))])
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


SOURCES = (
    digest_of_sources()
)  # as they are when the package is imported: later edits are not what is compiled


def folder() -> Path:
    """Where files are kept: numba's folder, or the user's own where others may write that one; OSError if nowhere."""
    with suppress(Exception):
        place = Path(CompileResultCacheImpl(digest_of_sources).locator.get_cache_path())
        place.mkdir(parents=True, exist_ok=True)
        if closed(place):
            return place
    try:
        place = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "mbsim")
    except RuntimeError as error:  # a user without a home
        raise FileNotFoundError(str(error)) from error
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    return place


def processor() -> tuple[str, ...]:
    """What machine code is made for: the processor and its features."""
    from numba.core.registry import cpu_target

    return tuple(map(str, cpu_target.target_context.codegen().magic_tuple()))


def closed(path: Path) -> bool:
    """Whether a file or folder belongs to this user or to root, and nobody else may write it."""
    if os.name != "posix":
        return True
    told = path.stat()
    return told.st_uid in (os.getuid(), 0) and not told.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def safe(file: Path) -> bool:
    """Whether a file, or those of a folder, may be loaded, which executes them: nobody else may have written it, or
    put it there.
    """
    return closed(file) and closed(file.parent)


def place_of(name: str, label: str) -> Path:
    """The file of the code of this name that was made for what the label tells."""
    return folder() / f"mbsim-{name}-{hashlib.sha256(label.encode()).hexdigest()[:DIGEST]}.code"


def read(name: str, label: str) -> bytes | None:
    """What was written under a name and a label, if it is whole and may be loaded.

    Raises:
        FileNotFoundError: nothing was.
    """
    place = place_of(name, label)
    if not safe(place):
        return None
    content = place.read_bytes()
    if hashlib.sha256(content[DIGEST:]).digest() != content[:DIGEST]:
        return None
    made_for, code = pickle.loads(content[DIGEST:])
    return code if made_for == label else None


def write(name: str, label: str, code: bytes) -> None:
    """Keep code under a name and a label."""
    content = pickle.dumps((label, code))
    place = place_of(name, label)
    temporary = place.with_suffix(f".{os.getpid()}-{secrets.token_hex(4)}")
    try:
        # Whatever the user's mask, nobody else may write it at any time.
        with open(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(hashlib.sha256(content).digest() + content)
        temporary.chmod(0o644)
        os.replace(temporary, place)
    finally:
        temporary.unlink(missing_ok=True)


def _told(value: Any) -> str:
    """What distinguishes a value that a closure holds."""
    if isinstance(value, Dispatcher):
        return f"{value.py_func.__module__}.{value.py_func.__qualname__}"
    if isinstance(value, tuple):
        return f"({', '.join(map(_told, value))})"
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    if value is None or isinstance(value, bool | int | float | str):
        return repr(value)
    raise TypeError(f"{value!r} in a closure: functions are named by numbers, types and functions")


def _held(cell: Any) -> str:
    try:
        return _told(cell.cell_contents)
    except ValueError:  # empty: a function that this kind does not need
        return "nothing"


def named(function: Callable) -> Callable:
    """The function with a name that follows from what its closure holds."""
    held = [_held(cell) for cell in function.__closure__ or ()]
    if held:
        digest = hashlib.sha256(repr(held).encode()).hexdigest()[:16]
        function.__qualname__ = f"{function.__qualname__}_{digest}"
    return function


class _Kept(NullCache):
    """What a dispatcher of numba asks before it compiles, and tells afterwards."""

    def __init__(self, function: Callable):
        self.function = function
        self.files = CompileResultCacheImpl(function)

    def label(self, signature, codegen) -> str:
        """All that machine code depends on."""
        made = self.function.__module__, self.function.__qualname__, str(signature)
        versions = platform.python_version(), numba.__version__, llvmlite.__version__
        return repr((*made, SOURCES, *versions, codegen.magic_tuple()))

    def there(self, function: Dispatcher, signature) -> bool:
        """Whether there is a file of the machine code for a signature."""
        label = self.label(signature, function.targetctx.codegen())
        return place_of(self.function.__name__, label).exists()

    def load_overload(self, sig, target_context):
        with suppress(Exception):
            if not use_files:
                return None
            target_context.refresh()
            code = read(self.function.__name__, self.label(sig, target_context.codegen()))
            return None if code is None else self.files.rebuild(target_context, pickle.loads(code))
        return None

    def save_overload(self, sig, data):
        with suppress(Exception):
            if not use_files or not self.files.check_cachable(data):
                return
            label = self.label(sig, data.codegen)
            write(self.function.__name__, label, dumps(self.files.reduce(data)))


_UNCALLED = {"nogil": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True} | PART
_INNER = numba.njit(**_UNCALLED)
_FUSED = numba.njit(**_UNCALLED, forceinline=True)
_OUTER = numba.njit(nogil=True, **WHOLE)


def inner(function: Callable) -> Any:
    """Compile a function that only compiled functions call, as part of them (`parts`)."""
    return _INNER(named(function))


def fused(function: Callable) -> Any:
    """The same for a function that is made part of those that call it: a proposal is told so much that passing
    it on would take as long as deciding it.
    """
    return _FUSED(named(function))


def kept(function: Callable) -> Any:
    """Compile a function that Python calls, and keep its machine code, with all that it calls, on disk."""
    compiled = _OUTER(named(function))
    with suppress(Exception):  # no folder that may be written, say
        compiled._cache = _Kept(compiled.py_func)
    return compiled


def there(function: Any, signature: tuple) -> bool:
    """Whether the machine code of a function that is kept is there, here or on disk."""
    if signature in function.overloads:
        return True
    with suppress(Exception):
        return function._cache.there(function, signature)
    return False


def writable() -> bool:
    """Whether machine code can be kept."""
    with suppress(OSError):
        return use_files and os.access(folder(), os.W_OK)
    return False
