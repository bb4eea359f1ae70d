"""The compiled programs of gradient descent, made once for each setting and number of students.

`init`, `advance` and `observe` of `sgd.py`, mapped over the students of a device and, by one `jax.shard_map`,
over the devices (`engines/mesh.py`). On CPU the students of a device go one after the other, each through all
steps of a call, so that its weights stay in the cache; a student's bits are then the same alone, among
thousands, on one device or on eight. On an accelerator they go side by side (`jax.vmap`), and batched matrix
products of another number of students may round differently.
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
from mbsim.engines.batched.setting import Context, RealShape, RealTables, SgdSetting
from mbsim.engines.batched.sgd import SgdKeys, SgdObservation, SgdState, Student
from mbsim.engines.mesh import EVERYWHERE, SPLIT
from mbsim.sampling.example_sets import ExampleSet
from mbsim.sampling.streams import Key

PRECISION = "highest"
"""Of products: float32. By itself, or told by the shell, jax rounds them to 11 bits on newer GPUs."""


class SgdPrograms(NamedTuple):
    """Compiled functions; arrays of students have (devices * students) of them, the first axis split over
    devices.

    init(students) -> SgdState
    advance(state, tables, students, begin, end, one) -> SgdState after steps begin to end; consumes the state
    observe(state, tables, students, time, one) -> SgdObservation
    """

    init: Callable[..., SgdState]
    advance: Callable[..., SgdState]
    observe: Callable[..., SgdObservation]


def table_shapes(shape: RealShape, teachers: int) -> RealTables:
    """Shapes and types of the tables of so many teachers."""
    hidden, output = (shape.K, shape.d), (shape.M, shape.output_degree)
    whole, real = np.int32, np.float32
    sizes = (
        (hidden, whole),
        (output, whole),
        ((shape.K, shape.readers), whole),
        (hidden, real),
        (output, real),
    )
    return RealTables(*(jax.ShapeDtypeStruct((teachers, *size), dtype) for size, dtype in sizes))


def student_shapes(students: int) -> Student:
    """Shapes and types of the students of a launch."""

    def each(dtype: type) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((students,), dtype)

    key, rate, number = Key(each(np.uint32), each(np.uint32)), each(np.float32), each(np.uint32)
    examples = ExampleSet(number, number, number)
    return Student(
        each(np.int32), each(np.int32), rate, rate, rate, SgdKeys(key, key, key, key, key), examples
    )


def mapped(function: Callable[..., Any], together: bool) -> Callable[..., Any]:
    """The function of one student over the first axis of its arguments: side by side, or one after the
    other.
    """
    if together:
        return jax.vmap(function)
    return lambda *students: lax.map(lambda student: function(*student), students)


def of_teacher(tables: RealTables, student: Student) -> RealTables:
    """The tables of a student's own teacher."""
    if len(tables.w) == 1:  # nothing to look up, and nothing to copy for each student
        return jax.tree.map(lambda table: table[0], tables)
    return jax.tree.map(lambda table: table[student.teacher], tables)


def _functions(setting: SgdSetting, platform: str) -> dict[str, Callable[..., Any]]:
    """The three functions as they run on one device, for all its students."""
    cpu, looks_up = platform == "cpu", platform != "tpu"

    def init(students):
        return mapped(lambda student: sgd.init(setting, student), not cpu)(students)

    def advance(state, tables, students, begin, end, one):
        def of_student(state: SgdState, student: Student) -> SgdState:
            context = Context(setting, of_teacher(tables, student), one if cpu else None, looks_up)
            return sgd.advance(context, student, state, begin, end)

        return mapped(of_student, not cpu)(state, students)

    def observe(state, tables, students, time, one):
        def of_student(state: SgdState, student: Student) -> SgdObservation:
            context = Context(setting, of_teacher(tables, student), one if cpu else None, looks_up)
            return sgd.observe(context, student, state, time)

        return mapped(of_student, not cpu)(state, students)

    return {"init": init, "advance": advance, "observe": observe}


def programs(setting: SgdSetting, teachers: int, students: int, mesh: Mesh) -> SgdPrograms:
    """The compiled programs for so many teachers, and students on each device; asking again returns the same.

    Only `advance` depends on the width of the batches: the others are shared by all m.
    """
    any_width = setting._replace(width=0)
    init, observe = (_program(name, any_width, teachers, students, mesh) for name in ("init", "observe"))
    return SgdPrograms(init, _program("advance", setting, teachers, students, mesh), observe)


@functools.lru_cache(maxsize=256)
def _program(name: str, setting: SgdSetting, teachers: int, students: int, mesh: Mesh) -> Callable[..., Any]:
    jitted, arguments = program(name, setting, teachers, students, mesh)
    with jax.default_matmul_precision(PRECISION):
        return jitted.lower(*arguments).compile()


def program(
    name: str, setting: SgdSetting, teachers: int, students: int, mesh: Mesh
) -> tuple[Any, tuple[Any, ...]]:
    """One of the functions over all devices of a mesh, jitted and not yet traced, and what it is traced with."""
    functions = _functions(setting, mesh.devices.flat[0].platform)

    def placed(tree: Any, spec: P) -> Any:
        sharding = NamedSharding(mesh, spec)
        return jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=sharding), tree)

    tables = placed(table_shapes(setting.shape, teachers), EVERYWHERE)
    each = placed(student_shapes(students * mesh.devices.size), SPLIT)
    number = placed(jax.ShapeDtypeStruct((), np.int32), EVERYWHERE)
    if name == "init":
        specs: tuple[P, ...] = (SPLIT,)
        arguments: tuple[Any, ...] = (each,)
    else:
        alone = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape[1:], a.dtype), each)
        state = jax.eval_shape(lambda student: sgd.init(setting, student), alone)
        total = each.m.shape
        states = jax.tree.map(lambda a: jax.ShapeDtypeStruct(total + a.shape, a.dtype), state)
        numbers = 3 if name == "advance" else 2
        specs = (SPLIT, EVERYWHERE, SPLIT, *(EVERYWHERE,) * numbers)
        arguments = (placed(states, SPLIT), tables, each, *(number,) * numbers)
    split = jax.shard_map(functions[name], mesh=mesh, in_specs=specs, out_specs=SPLIT, check_vma=False)
    consumed = (0,) if name == "advance" else ()
    return jax.jit(split, donate_argnums=consumed), arguments
