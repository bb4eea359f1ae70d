"""The compiled programs of a launch: `init`, `advance`, `observe`, each made once for a plan.

Each is one `jax.shard_map` over the one axis of a mesh; every device has the same number of programs of a kernel,
and students never speak to each other. Arrays of a launch as in `layout.py`: rows (rows, *lanes), single students
(F, *single).
"""

import functools
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from mbsim.engines.devices import cores
from mbsim.engines.pallas import batches, kept_programs, kernels, layout, measures, targets
from mbsim.engines.pallas.kernels import Heat, Rows, Size, Tables
from mbsim.engines.pallas.tables import order_rows, reader_entries
from mbsim.engines.pallas.targets import Target
from mbsim.engines.settings import pinned
from mbsim.engines.task import ReportProgress, TrainingSet
from mbsim.physics.order import random_order
from mbsim.sampling.streams import Key, Leaf, StudentKeys


class Plan(NamedTuple):
    """What programs are compiled for: the kernel's size on one device, test examples, the training set or None,
    whether orders are random, whether all devices share one teacher.
    """

    size: Size
    test_size: int
    training: TrainingSet | None
    random_order: bool
    shared: bool

    @property
    def teachers(self) -> int:
        """Teachers in a launch on one device."""
        return self.size.programs // self.size.blocks


class Students(NamedTuple):
    """Students of a launch, arrays (F, *single): m, 2^24 times the probability that a weight starts as the
    teacher's, keys; limits (F heat, *single) of `acceptance`, or None.
    """

    m: Leaf
    below: Leaf
    keys: StudentKeys
    limits: Leaf


class Teachers(NamedTuple):
    """Teachers of a launch: tables for the kernel; sources of outputs (teachers, M, D) int32; weights
    (teachers, K, d) and (teachers, M, D), 1 where -1; raw keys of random orders (teachers, 2), or orders
    (teachers, n).
    """

    tables: Tables
    output_sources: Leaf
    w: Leaf
    v: Leaf
    order: Leaf


class Programs(NamedTuple):
    """Functions of a launch.

    init(students, teachers) -> (w, v), packed rows
    advance(students, teachers, w, v, accepted, part) -> (w, v, accepted); accepted (F, *single) int32 goes on
        counting; part (4,) int32: the number of a sweep, of the batch, the first proposal and the one after the
        last. Consumes w and v
    observe(students, teachers, w, v, numbers) -> (agreement, test_wrong, batch_wrong); numbers (2,) int32: the
        time, the next batch
    """

    init: Callable[..., tuple[Array, Array]]
    advance: Callable[..., tuple[Array, Array, Array]]
    observe: Callable[..., tuple[Array, Array, Array]]


def functions(plan: Plan) -> Programs:
    """The functions as they run on one device, to be traced."""
    size = plan.size
    shape, of = size.shape, size.layout
    # All at once is one kernel on a GPU; the compilers for TPUs and CPUs take long over it.
    in_turn = size.target != Target("gpu")

    def init(students: Students, teachers: Teachers) -> tuple[Array, Array]:
        def drawn(layer: int, taught: Array, degree: int) -> Array:
            def of_teacher(mine: tuple[Key, Array], bits: Array) -> Array:
                return batches.initial_weights(of, mine[0], layer, bits, mine[1], degree, in_turn)

            mine = students.keys.weights, students.below
            return _for_each_teacher(plan, of_teacher, mine, taught.reshape(plan.teachers, -1))

        w = drawn(0, teachers.w, shape.d)
        if shape.train_output:
            return w, drawn(1, teachers.v, shape.output_degree)
        return w, jnp.zeros_like(w[:1])

    def batch_of(students: Students, number: Array) -> Array:
        keys = students.keys.examples
        if plan.training is None:
            return batches.fresh(of, batches.folded(keys, number), shape.N, in_turn)
        return batches.of_a_set(size.target, of, plan.training, keys, number, students.m, shape.N)

    def heat_of(students: Students) -> Heat | None:
        if not size.heat:
            return None
        key = students.keys.acceptance
        halves = jnp.stack([key.first, key.second], axis=1)
        return Heat(batches.as_words(halves.reshape(2 * of.fields, *halves.shape[2:])), students.limits)

    def advance(
        students: Students, teachers: Teachers, w: Array, v: Array, accepted: Array, part: Array
    ) -> tuple[Array, Array, Array]:
        sweep, batch, begin, end = (part[i] for i in range(4))
        order = teachers.order
        if plan.random_order:
            order = jax.vmap(lambda key: random_order(key, sweep[None], shape.proposals)[0])(order)
        order = order_rows(order, shape, of.words)[:, None]
        span = jnp.stack([sweep, begin, end])[None, None]
        rows = Rows(batches.mask(of, students.m), batch_of(students, batch), w, v)
        w, v, more = kernels.part_of_sweep(size, span, order, teachers.tables, rows, heat_of(students))
        return w, v, accepted + more

    def observe(
        students: Students, teachers: Teachers, w: Array, v: Array, numbers: Array
    ) -> tuple[Array, Array, Array]:
        rows = Rows(batches.mask(of, students.m), batch_of(students, numbers[1]), w, v)
        batch_wrong = kernels.examine(size, teachers.tables, rows)
        key = batches.folded(students.keys.test, numbers[0])
        test_wrong = measures.test_wrong(size, teachers.tables, key, rows, plan.test_size)

        def agreement(mine: tuple[Array, Array], teacher: Teachers) -> Array:
            return measures.path_agreement(of, shape, *mine, teacher.w, teacher.v, teacher.output_sources)

        return _for_each_teacher(plan, agreement, (w, v), teachers), test_wrong, batch_wrong

    return Programs(init, advance, observe)


def _for_each_teacher(plan: Plan, do: Callable[..., Array], students: tuple, teachers: Leaf) -> Array:
    """do(students, teachers) for each teacher's own students: arrays (rows, *lanes), and arrays (teachers, ...)."""
    axis, count = 1 + plan.size.layout.axis, plan.teachers
    if count == 1:
        return do(students, jax.tree.map(lambda array: array[0], teachers))

    def apart(array: Array) -> Array:
        return array.reshape(*array.shape[:axis], count, -1, *array.shape[axis + 1 :])

    result = jax.vmap(do, in_axes=(axis, 0), out_axes=axis)(jax.tree.map(apart, students), teachers)
    return result.reshape(*result.shape[:axis], -1, *result.shape[axis + 2 :])


def specs(plan: Plan, axis_name: str) -> tuple[P, P]:
    """How arrays of students and arrays of teachers are split over the devices; one teacher may be everybody's."""
    students = P(*[None] * (1 + plan.size.layout.axis), axis_name)
    return students, P() if plan.shared else P(axis_name)


def arguments(plan: Plan, mesh: Mesh) -> dict[str, tuple]:
    """Shapes and places of the arguments of each program, for compiling ahead of time."""
    size = plan.size
    shape, of, [axis_name] = size.shape, size.layout, mesh.axis_names
    students_spec, teachers_spec = specs(plan, axis_name)
    count = plan.teachers if plan.shared else plan.teachers * mesh.devices.size

    def like(dims: tuple[int, ...], dtype, spec: P = students_spec) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(dims, dtype, sharding=NamedSharding(mesh, spec))

    programs = size.programs * mesh.devices.size
    lanes, single = of.many(of.row, programs), of.many(of.single, programs)
    half = like((of.fields, *single), np.uint32)
    key = Key(half, half)
    limits = like((of.fields * size.heat, *single), np.int32) if size.heat else None
    students = Students(like((of.fields, *single), np.int32), half, StudentKeys(key, key, key, key), limits)

    def of_teachers(*dims: int, dtype=np.int32) -> jax.ShapeDtypeStruct:
        return like((count, *dims), dtype, teachers_spec)

    entries = 1 if shape.scalar else shape.K * reader_entries(shape)
    tables = Tables(of_teachers(1, 2 * (shape.hidden_links + shape.output_links)), of_teachers(1, entries))
    order = of_teachers(2, dtype=np.uint32) if plan.random_order else of_teachers(shape.proposals)
    degree = shape.output_degree
    teachers = Teachers(
        tables,
        of_teachers(shape.M, degree),
        of_teachers(shape.K, shape.d),
        of_teachers(shape.M, degree),
        order,
    )
    w_rows, v_rows = layout.weight_rows(shape, of)
    w, v = (like((rows, *lanes), np.int32) for rows in (w_rows, v_rows if shape.train_output else 1))
    return {
        "init": (students, teachers),
        "advance": (students, teachers, w, v, students.m, like((4,), np.int32, P())),
        "observe": (students, teachers, w, v, like((2,), np.int32, P())),
    }


def mapped(plan: Plan, mesh: Mesh) -> dict[str, Any]:
    """The functions over all devices of a mesh, jitted and not yet traced."""
    init, advance, observe = functions(plan)
    [axis_name] = mesh.axis_names
    rows, teachers = specs(plan, axis_name)

    def over_devices(function, inputs, outputs, **options):
        # What students share is not known to be shared once it has passed through a kernel: nothing to check.
        whole = jax.shard_map(function, mesh=mesh, in_specs=inputs, out_specs=outputs, check_vma=False)
        return jax.jit(whole, **options)

    everything = rows, teachers, rows, rows, P()
    counting = rows, teachers, rows, rows, rows, P()
    return {
        "init": over_devices(init, (rows, teachers), (rows, rows)),
        "advance": over_devices(advance, counting, (rows, rows, rows), donate_argnums=(2, 3)),
        "observe": over_devices(observe, everything, (rows, rows, rows)),
    }


def prepare(plans: Iterable[Plan], mesh: Mesh, progress: ReportProgress) -> None:
    """Compile all programs of some plans, as many at a time as there are cores: each takes a core for seconds.

    A launch for which the compiler has no memory is not told here: it is met again by who halves it. `progress` is
    called after each program, and what it raises ends this.
    """

    def compiled(plan: Plan, name: str) -> None:
        with pinned(), suppress(jax.errors.JaxRuntimeError):  # settings of JAX are those of a thread
            program(plan, mesh, name)

    pool = ThreadPoolExecutor(cores())
    try:
        started = [
            pool.submit(compiled, plan, name) for plan in dict.fromkeys(plans) for name in Programs._fields
        ]
        for one in as_completed(started):
            one.result()
            progress(0)
    finally:
        pool.shutdown(cancel_futures=True)


class _Once:
    """A program, and a lock for those who wait until one of them has compiled it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.program: Any = None


_once = functools.lru_cache(maxsize=256)(lambda plan, mesh, name: _Once())
_lock = threading.Lock()


def program(plan: Plan, mesh: Mesh, name: str) -> Callable[..., Any]:
    """The compiled function of this name, a field of `Programs`; asking again for the same returns the same, even
    while another thread compiles it.
    """

    def make() -> Any:
        lowered = mapped(plan, mesh)[name].lower(*arguments(plan, mesh)[name])
        return lowered.compile(targets.compiler_options(plan.size.target))

    with _lock:
        one = _once(plan, mesh, name)
    with one.lock:
        if one.program is None:
            one.program = kept_programs.compiled(f"pallas-{name}", plan, mesh, make)
        return one.program
