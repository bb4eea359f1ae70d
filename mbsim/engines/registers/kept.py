"""Machine code that outlasts the process: the next one loads it instead of compiling for seconds.

numba's own `cache=True` cannot do this: it knows a function by its file, signature and code, and these
functions differ only in what their closures hold. Nor would it be safe: numba names symbols by a counter that
starts anew in every process, and where two objects from different processes are loaded together and hold the
same name, the linker takes the first for both, which gives wrong numbers without a word. So

* the counter starts at a random number of 62 bits in each process, and names are met once in the world;
* a file is named by, and holds, all that it was made for: the caller's label, the signature, a hash of this
  package's sources, the compilers' versions, the processor and its features;
* it begins with a hash of the rest, appears under its name only when it is whole, and is never changed.

Files lie where numba keeps its own: `__pycache__` beside this one, else the user's cache folder, or
NUMBA_CACHE_DIR. None is ever deleted (100 to 200 kB each). Whatever is wrong with files only costs the
compiling.
"""

import hashlib
import itertools
import os
import pickle
import platform
import secrets
from contextlib import suppress
from pathlib import Path

import llvmlite
import numba
from numba.core.bytecode import FunctionIdentity
from numba.core.caching import CompileResultCacheImpl, NullCache
from numba.core.serialize import dumps

DIGEST = 32  # bytes


def _number_functions_anew() -> None:
    FunctionIdentity._unique_ids = itertools.count(secrets.randbits(62))


_number_functions_anew()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_number_functions_anew)


def _sources() -> str:
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


SOURCES = _sources()  # as they are when the package is imported: later edits are not what is compiled


class _Kept(NullCache):
    """What a dispatcher of numba asks before it compiles, and tells afterwards."""

    def __init__(self, function, made_for: object):
        self.function, self.made_for = function, made_for
        self.files = CompileResultCacheImpl(function)

    def label(self, signature, codegen) -> str:
        """All that machine code depends on."""
        made = self.function.__module__, self.function.__qualname__, self.made_for, str(signature)
        versions = platform.python_version(), numba.__version__, llvmlite.__version__
        return repr((*made, SOURCES, *versions, codegen.magic_tuple()))

    def place(self, label: str) -> Path:
        """The file of a label."""
        name = hashlib.sha256(label.encode()).hexdigest()[:DIGEST]
        return Path(self.files.locator.get_cache_path(), f"mbsim-{self.function.__name__}-{name}.code")

    def load_overload(self, sig, target_context):
        with suppress(Exception):
            target_context.refresh()
            label = self.label(sig, target_context.codegen())
            content = self.place(label).read_bytes()
            if hashlib.sha256(content[DIGEST:]).digest() != content[:DIGEST]:
                return None
            made_for, code = pickle.loads(content[DIGEST:])
            return self.files.rebuild(target_context, pickle.loads(code)) if made_for == label else None
        return None

    def save_overload(self, sig, data):
        with suppress(Exception):
            if not self.files.check_cachable(data):
                return
            label = self.label(sig, data.codegen)
            content = pickle.dumps((label, dumps(self.files.reduce(data))))
            self.files.locator.ensure_cache_path()
            place = self.place(label)
            temporary = place.with_suffix(f".{os.getpid()}-{secrets.token_hex(4)}")
            try:
                temporary.write_bytes(hashlib.sha256(content).digest() + content)
                os.replace(temporary, place)
            finally:
                temporary.unlink(missing_ok=True)


def keep(function, made_for: object = None):
    """Keep the machine code of a compiled function made for this, among functions of the same name; returns
    the function.
    """
    with suppress(Exception):  # no folder that may be written, say
        function._cache = _Kept(function.py_func, made_for)
    return function
