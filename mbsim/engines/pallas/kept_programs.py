"""Compiled programs of an accelerator that outlast the process: they are neither traced nor compiled again.

Tracing and lowering take a second of one core for the programs of each plan, whatever a cache of compiled programs
holds: they come before it can be asked. So the programs themselves are kept, ready to run
(`jax.experimental.serialize_executable`), in files that `registers/kept.py` writes, finds whole and trusts. A file is
named by the program, the plan, the devices of the mesh and all that answers depend on (`remembered.circumstances`).

Whatever is wrong with files only costs the compiling. None is ever deleted, 0.1 MB each, three for each plan. Not on
CPU, where interpreted kernels are there for tests.
"""

import functools
import pickle
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import jax
from jax.experimental import serialize_executable
from jax.sharding import Mesh

from mbsim.engines import remembered
from mbsim.engines.registers import kept


def compiled(name: str, made_for: Any, mesh: Mesh, make: Callable[[], Any]) -> Any:
    """The program that was kept, or the one that `make` compiles, which is kept.

    Args:
        name: of the program, as a file may be named.
        made_for: what else it depends on besides its name, the mesh and the sources; told apart by its repr.
        mesh: devices that run it.
        make: gives a `jax.stages.Compiled`.
    """
    if not (kept.use_files and keeps(mesh)):
        return make()
    on = [(device.id, device.device_kind) for device in mesh.devices.flat]
    label = repr((name, made_for, mesh.axis_names, on, _circumstances()))
    with suppress(Exception):
        if (code := kept.read(name, label)) is not None:
            return loaded(code, mesh)
    program = make()
    with suppress(Exception):
        kept.write(name, label, stored(program))
    return program


def keeps(mesh: Mesh) -> bool:
    """Whether programs for a mesh are kept."""
    return mesh.devices.flat[0].platform != "cpu" and jax.process_count() == 1


_circumstances = functools.cache(remembered.circumstances)


def stored(program: Any) -> bytes:
    """A compiled program as bytes; trees of its arguments and results as what has this structure."""
    code, *trees = serialize_executable.serialize(program)
    return pickle.dumps((code, [jax.tree.unflatten(tree, range(tree.num_leaves)) for tree in trees]))


def loaded(code: bytes, mesh: Mesh) -> Any:
    """The program that was `stored`, on the devices of a mesh."""
    program, trees = pickle.loads(code)
    devices = list(mesh.devices.flat)
    inputs, outputs = map(jax.tree.structure, trees)
    return serialize_executable.deserialize_and_load(program, inputs, outputs, devices[0].client, devices)
