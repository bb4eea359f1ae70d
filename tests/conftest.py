"""Eight virtual CPU devices, strict shapes, and a place of their own for compiled loops: set before JAX and
numba start.
"""

import atexit
import os
import shutil
import tempfile

if "NUMBA_CACHE_DIR" not in os.environ:  # workers and commands inherit it
    os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp(prefix="mbsim-tests-")
    atexit.register(shutil.rmtree, os.environ["NUMBA_CACHE_DIR"], ignore_errors=True)

import jax

jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_rank_promotion", "raise")
