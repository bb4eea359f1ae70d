"""Machine code that outlasts the process: the next one loads it instead of compiling for seconds.

numba's own `cache=True` knows a function by its file and signature alone, and not by what its closure holds,
which is what these functions differ in. Here the label says it all: what the function is compiled for, a hash
of this package's sources, the compilers, and (numba's own part) the processor and its features. Code lies
where numba keeps it: `__pycache__` beside this file, else the user's cache folder, or NUMBA_CACHE_DIR.
A folder or file that cannot be read or written only costs the compiling.
"""

import hashlib
from contextlib import suppress
from functools import cache
from pathlib import Path

import llvmlite
import numba
from numba.core.caching import FunctionCache


@cache
def _sources() -> str:
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


class _Kept(FunctionCache):
    def __init__(self, function, made_for: object):
        super().__init__(function)
        self.label = repr(made_for), _sources(), numba.__version__, llvmlite.__version__

    def _index_key(self, signature, codegen):
        return signature, codegen.magic_tuple(), self.label

    def load_overload(self, signature, target):
        try:
            return super().load_overload(signature, target)
        except Exception:  # whatever is wrong with the files, compiling makes up for it
            with suppress(OSError):
                self.flush()
            return None

    def save_overload(self, signature, compiled):
        with suppress(OSError):  # a full disk, say
            super().save_overload(signature, compiled)


def keep(function, made_for: object = None):
    """Keep the machine code of a compiled function made for this, among functions of the same name; returns
    the function.
    """
    with suppress(RuntimeError):  # numba found no folder that it may write to
        function._cache = _Kept(function.py_func, made_for)
    return function
