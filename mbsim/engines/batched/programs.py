"""The compiled programs of gradient descent, made once for each setting and number of lanes.

`init`, `advance` and `observe` of `sgd.py`, mapped over the lanes of a device and, by one `jax.shard_map`,
over the mesh axis "lane". On CPU the lanes of a device go one after the other, each through all steps of a
call, so that its weights stay in the cache; a lane's bits are then the same alone, among thousands, on one
device or on eight. On an accelerator they go side by side (`jax.vmap`), and batched matrix products of
another number of lanes may round differently.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from mbsim.engines.batched import sgd
from mbsim.engines.batched.networks import RealShape, RealTables
from mbsim.engines.batched.sgd import Lane, SgdKeys, SgdObservation, SgdSetting, SgdState
from mbsim.sampling.example_sets import ExampleSet
from mbsim.sampling.streams import Key


class SgdPrograms(NamedTuple):
    """Compiled functions; arrays of lanes have (devices * lanes) of them, the first axis split over the mesh.

    init(lanes) -> SgdState
    advance(state, tables, lanes, begin, end, one) -> SgdState after steps begin to end; consumes the state
    observe(state, tables, lanes, time, one) -> SgdObservation
    """

    init: Callable[..., SgdState]
    advance: Callable[..., SgdState]
    observe: Callable[..., SgdObservation]


def table_shapes(shape: RealShape) -> RealTables:
    """Shapes and types of a teacher's tables."""
    hidden, output = (shape.K, shape.d), (shape.M, shape.output_degree)
    whole, real = np.int32, np.float32
    sizes = (
        (hidden, whole),
        (output, whole),
        ((shape.K, shape.readers), whole),
        (hidden, real),
        (output, real),
    )
    return RealTables(*(jax.ShapeDtypeStruct(*size) for size in sizes))


def lane_shapes(lanes: int) -> Lane:
    """Shapes and types of the lanes of a launch."""

    def each(dtype: type) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((lanes,), dtype)

    key, rate, number = Key(each(np.uint32), each(np.uint32)), each(np.float32), each(np.uint32)
    examples = ExampleSet(number, number, number)
    return Lane(each(np.int32), rate, rate, rate, SgdKeys(key, key, key, key, key), examples)


def mapped(function: Callable[..., Any], together: bool) -> Callable[..., Any]:
    """The function of one lane over the first axis of its arguments: side by side, or one after the other."""
    return jax.vmap(function) if together else lambda *lanes: lax.map(lambda lane: function(*lane), lanes)


def _functions(setting: SgdSetting, cpu: bool) -> dict[str, Callable[..., Any]]:
    """The three functions as they run on one device, for all its lanes."""

    def init(lanes):
        return mapped(lambda lane: sgd.init(setting, lane), not cpu)(lanes)

    def advance(state, tables, lanes, begin, end, one):
        def of_lane(state: SgdState, lane: Lane) -> SgdState:
            return sgd.advance(setting, tables, lane, state, begin, end, one if cpu else None)

        return mapped(of_lane, not cpu)(state, lanes)

    def observe(state, tables, lanes, time, one):
        def of_lane(state: SgdState, lane: Lane) -> SgdObservation:
            return sgd.observe(setting, tables, lane, state, time, one if cpu else None)

        return mapped(of_lane, not cpu)(state, lanes)

    return {"init": init, "advance": advance, "observe": observe}


def programs(setting: SgdSetting, lanes: int, mesh: Mesh) -> SgdPrograms:
    """The compiled programs for `lanes` lanes on each device; asking again for the same returns the same.

    Only `advance` depends on the width of the batches: the others are shared by all m.
    """
    any_width = setting._replace(width=0)
    init, observe = (_program(name, any_width, lanes, mesh) for name in ("init", "observe"))
    return SgdPrograms(init, _program("advance", setting, lanes, mesh), observe)


@functools.lru_cache(maxsize=256)
def _program(name: str, setting: SgdSetting, lanes: int, mesh: Mesh) -> Callable[..., Any]:
    functions = _functions(setting, mesh.devices.flat[0].platform == "cpu")

    def placed(tree: Any, spec: P) -> Any:
        sharding = NamedSharding(mesh, spec)
        return jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=sharding), tree)

    tables = placed(table_shapes(setting.shape), P())
    each = placed(lane_shapes(lanes * mesh.devices.size), P("lane"))
    number = placed(jax.ShapeDtypeStruct((), np.int32), P())
    if name == "init":
        specs: tuple[P, ...] = (P("lane"),)
        arguments: tuple[Any, ...] = (each,)
    else:
        one = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape[1:], a.dtype), each)
        student = jax.eval_shape(lambda lane: sgd.init(setting, lane), one)
        total = each.m.shape
        states = jax.tree.map(lambda a: jax.ShapeDtypeStruct(total + a.shape, a.dtype), student)
        numbers = 3 if name == "advance" else 2
        specs = (P("lane"), P(), P("lane"), *(P(),) * numbers)
        arguments = (placed(states, P("lane")), tables, each, *(number,) * numbers)
    split = jax.shard_map(functions[name], mesh=mesh, in_specs=specs, out_specs=P("lane"), check_vma=False)
    consumed = (0,) if name == "advance" else ()
    # In float32, unless jax was told otherwise: by itself it rounds products to 11 bits on newer GPUs.
    told = jax.config.jax_default_matmul_precision  # type: ignore[attr-defined]
    with jax.default_matmul_precision(told or "highest"):
        return jax.jit(split, donate_argnums=consumed).lower(*arguments).compile()
