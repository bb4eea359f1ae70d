"""What a kernel is compiled for: the only file that names parts of Pallas that belong to one kind of device.

"gpu": Triton; a row is spread over the threads of a program, one warp, what it keeps lies in device memory (in
truth in its caches). "tpu": Mosaic; tables lie in scalar memory, rows in vector memory. Either can be interpreted,
on any device: that is how tests run both.
"""

import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl

VECTOR_MEMORY = 100 * 2**20  # bytes of a TPU core's vector memory that a kernel may take
SCALAR_MEMORY = 2**19  # bytes of scalar memory for tables and orders, which are there twice
AT_ONCE = {"gpu": 400, "tpu": 1}
"""Programs that a device runs in the time of one: on an H100 rates grow in proportion up to some 450."""
WARP = 32  # words of a row on a GPU, one for each thread: narrow rows serve teachers with few students

# MLIR looks for a Python module of Triton's dialect anew for every operation that is made, and finds none: two
# thirds of the time of lowering a kernel, and threads would wait for each other.
DIALECT = "jaxlib.mlir.dialects.tt"
if DIALECT not in sys.modules and find_spec(DIALECT) is None:
    sys.modules[DIALECT] = module_from_spec(ModuleSpec(DIALECT, None))


class Target(NamedTuple):
    """kind: "gpu" or "tpu"; interpret: whether Pallas only plays through the kernel."""

    kind: str
    interpret: bool = False


def target_of(device: jax.Device) -> Target:
    """The target for a device; a CPU interprets the kernel of a GPU."""
    if device.platform == "tpu":
        return Target("tpu")
    return Target("gpu", interpret=device.platform == "cpu")


def compiler_options(target: Target) -> dict[str, Any] | None:
    """What XLA is told that compiles a program."""
    if target.interpret:  # it is there to be compared: quickly compiled is better than quickly run
        return {"xla_backend_optimization_level": 0}
    # Trying ways to compile what is around a kernel takes longer than it can save.
    return {"xla_gpu_autotune_level": 0} if target.kind == "gpu" else None


def options(target: Target) -> dict[str, Any]:
    """Arguments of `pallas_call` that only this target knows."""
    if target.interpret:
        return {"interpret": True}
    if target.kind == "tpu":
        from jax.experimental.pallas import tpu as pltpu

        return {"compiler_params": pltpu.CompilerParams(vmem_limit_bytes=VECTOR_MEMORY)}
    from jax.experimental.pallas import triton

    return {"compiler_params": triton.CompilerParams(num_warps=1, num_stages=1)}


def table_spec(target: Target, entries: int, blocks: int) -> pl.BlockSpec:
    """Where a table (teachers, 1, entries) lies: the same one for `blocks` programs, one after the other."""
    space = None
    if target.kind == "tpu" and not target.interpret:
        from jax.experimental.pallas import tpu as pltpu

        space = pltpu.SMEM
    return pl.BlockSpec((None, 1, entries), lambda g: (g // blocks, 0, 0), memory_space=space)


def scratch(target: Target, rows: int, row: tuple[int, ...]) -> Any:
    """Rows of words that one program keeps to itself; None where they must be an array in device memory."""
    if target.kind == "tpu":
        from jax.experimental.pallas import tpu as pltpu

        return pltpu.VMEM((rows, *row), jnp.int32)
    return None
