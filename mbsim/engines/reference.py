"""The reference engine: the physics as it is written for one student, mapped over students by `jax.vmap`.

It runs every combination that a configuration allows, with every observable, on any device, and is the measure
of the other engines. Students are spread over the devices of the process; nothing passes between them. Time
goes in calls of a bounded amount of work, so that progress is told and a signal is heard.
"""

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from mbsim.engines.protocol import Progress, Students, Task, Trained
from mbsim.errors import ConfigError
from mbsim.lazy import Array, jax, jnp, lax
from mbsim.physics.activations import ACTIVATIONS
from mbsim.physics.observables import OBSERVABLES, Examples, Measured, Ratio
from mbsim.physics.optimisers import OPTIMISERS
from mbsim.physics.problem import Labels, Problem, Teacher, Weights, labels_of
from mbsim.physics.rules import RULES
from mbsim.physics.students import STUDENTS, output_weights
from mbsim.physics.teachers import TEACHERS
from mbsim.physics.world import Batch, Moment, World

CALL_WORK = 2e8  # of one call: work times examples; a second or so of a core
MOST_TIMES = 64  # units of time in one call
LAUNCH_BYTES = 2**28  # of the students of one launch on one device


class Setting(NamedTuple):
    """What a compiled program is made for besides the shapes of its arguments; hashable. `functions` are those that
    stand behind names now: a name may be given to another function later.
    """

    problem: Problem
    slots: int
    test_size: int
    observables: tuple[str, ...]
    functions: tuple[Any, ...]


def setting_of(problem: Problem, slots: int, test_size: int, observables: tuple[str, ...]) -> Setting:
    """The setting, with the functions that are registered now."""
    functions = (
        RULES[problem.rule],
        ACTIVATIONS.get(problem.activation),
        ACTIVATIONS.get(problem.teacher_activation),
        OPTIMISERS.get(problem.options.get("optimizer", "")),
        *(OBSERVABLES[name] for name in observables),
    )
    return Setting(problem, slots, test_size, observables, functions)


def world_of(setting: Setting, teacher: Teacher, labels: Labels, shared: dict[str, Any]) -> World:
    """The world of one student."""
    return World(setting.problem, teacher, labels, shared, setting.slots)


def init(setting: Setting, teacher: Teacher, labels: Labels, shared: dict[str, Any]) -> Any:
    """The state of one student at time 0."""
    return RULES[setting.problem.rule].init(world_of(setting, teacher, labels, shared))


def advance(
    setting: Setting,
    teacher: Teacher,
    labels: Labels,
    shared: dict[str, Any],
    state: Any,
    moments: Moment,
    count: Array,
) -> tuple[Any, dict[str, Array]]:
    """One student through the first `count` of the units of time `moments` (MOST_TIMES,): state, and sums of
    what its rule counts, int32.
    """
    rule, world = RULES[setting.problem.rule], world_of(setting, teacher, labels, shared)

    def step(i: Array, carry: tuple[Any, dict[str, Array]]) -> tuple[Any, dict[str, Array]]:
        state, total = carry
        state, counts = rule.step(world, state, jax.tree.map(lambda part: part[i], moments))
        return state, {name: total[name] + counts[name] for name in total}

    first = jax.tree.map(lambda part: part[0], moments)
    shapes = jax.eval_shape(lambda state: rule.step(world, state, first)[1], state)
    zeros = {name: jnp.zeros(one.shape, one.dtype) for name, one in shapes.items()}
    return lax.fori_loop(0, count, step, (state, zeros))


def observe(
    setting: Setting,
    teacher: Teacher,
    labels: Labels,
    shared: dict[str, Any],
    state: Any,
    time: Array,
    batch: Array,
) -> tuple[dict[str, Any], Array]:
    """The observables of one student at a time, `batch` being the number of its next mini-batch, and whether it
    has diverged.
    """
    rule, world = RULES[setting.problem.rule], world_of(setting, teacher, labels, shared)
    measured, examples = view(
        world, rule.weights_of(state), world.test(time, setting.test_size), world.batch(batch)
    )
    values = {name: OBSERVABLES[name].value for name in setting.observables}
    found = {name: value(measured, teacher, examples) for name, value in values.items() if value is not None}
    return found, rule.diverged(state)


def view(world: World, weights: Weights, test: Batch, batch: Batch) -> tuple[Measured, Examples]:
    """A student and its examples as observables take them."""
    outputs = functools.partial(STUDENTS[world.problem.student].outputs, world, weights)
    answers, batch_answers = outputs(test.x), outputs(batch.x)
    v = output_weights(world, weights)
    measured = Measured(weights.w, v, answers, batch_answers, world.labels.m, world.problem)
    return measured, Examples(test.x, test.y, batch.x, batch.y, batch.used)


def try_observables(task: Task) -> None:
    """Ask every observable for its shape and type, without computing anything.

    Raises:
        ConfigError: one that fails, or does not give one real number; it is named.
    """
    problem = task.problem
    teacher = TEACHERS[problem.teacher].draw(problem, task.seed, task.teacher)
    axes = {name: values[:1] for name, values in task.students.axes.items()}
    m, replica = task.students.m[:1], task.students.replica[:1]
    rule = RULES[problem.rule]
    prepared = rule.prepare(problem, teacher, m, axes, seed=task.seed, label=task.teacher)
    many = labels(task, m, replica, prepared.own)
    one = jax.tree.map(lambda column: column[0], many)
    for name in task.observables:
        setting = setting_of(problem, int(m[0]), task.test_size, (name,))

        def measure(student: Labels, setting: Setting = setting) -> dict[str, Any]:
            state = init(setting, teacher, student, prepared.shared)
            zero = jnp.uint32(0)
            return observe(setting, teacher, student, prepared.shared, state, zero, zero)[0]

        try:
            found = jax.eval_shape(measure, one)[name]
        except Exception as error:
            first = (str(error).strip().splitlines() or [""])[0]
            raise ConfigError(
                f'measure.observables = "{name}": fails: {type(error).__name__}: {first}'
            ) from error
        if isinstance(found, Ratio):
            continue
        shape, dtype = getattr(found, "shape", None), getattr(found, "dtype", None)
        if shape != () or dtype is None or not jnp.issubdtype(dtype, jnp.floating):
            what = f"{dtype}{list(shape)}" if shape is not None else type(found).__name__
            raise ConfigError(
                f'measure.observables = "{name}": gives {what}; must be one real number, float32 ()'
            )


def labels(task: Task, m: np.ndarray, replica: np.ndarray, own: dict[str, np.ndarray]) -> Labels:
    """The labels of some students of a task."""
    return labels_of(
        task.problem, m, replica, own, seed=task.seed, teacher=task.teacher, examples=task.examples
    )


class Programs(NamedTuple):
    """The three functions, mapped over students on all devices and compiled."""

    init: Any
    advance: Any
    observe: Any


@functools.lru_cache(maxsize=64)
def programs(setting: Setting, mesh: Any) -> Programs:
    """Compiled functions of (teacher, labels, shared, ...), students along the first axis."""
    each, same = jax.P("student"), jax.P()

    def mapped(function: Any, inputs: tuple[Any, ...], outputs: Any) -> Any:
        axes = tuple(0 if spec == each else None for spec in inputs)
        over = jax.vmap(functools.partial(function, setting), in_axes=axes)
        return jax.jit(jax.shard_map(over, mesh=mesh, in_specs=inputs, out_specs=outputs, check_vma=False))

    return Programs(
        mapped(init, (same, each, same), each),
        mapped(advance, (same, each, same, each, same, same), (each, each)),
        mapped(observe, (same, each, same, each, same, same), (each, each)),
    )


def student_bytes(task: Task) -> int:
    """Estimated memory of one student in training or while it is measured, in bytes."""
    problem = task.problem
    slots = max(int(task.students.m.max()), task.test_size)
    widest = max(problem.N, problem.K, problem.M, problem.student_hidden)
    links = problem.K * problem.d + problem.M * problem.output_degree
    if problem.student == "dense":
        links = problem.student_hidden * (problem.N + problem.M)
    gathered = problem.K * problem.d + problem.M * problem.output_degree
    return 4 * (slots * (6 * widest + 2 * gathered) + 6 * links)


def launches(students: int, most: int) -> Iterator[slice]:
    """Slices of at most `most` students, as equal as can be."""
    count = -(-students // most)
    each = -(-students // count)
    for begin in range(0, students, each):
        yield slice(begin, min(begin + each, students))


class Reference:
    """The engine."""

    name: str = "reference"
    title: str = "the law as it is written, mapped by JAX"

    def refuses(self, task: Task) -> str:
        """Nothing."""
        return ""

    def host_bytes(self, task: Task) -> int:
        """Launches are cut to a bounded size, unless one student exceeds it; on one device."""
        most = LAUNCH_BYTES // student_bytes(task)
        return max(1, min(len(task.students.m), most)) * student_bytes(task)

    def known_answers(self, task: Task) -> tuple[str, bool]:
        """It is what the others are compared with."""
        return "reference", True

    def unavailable(self) -> str:
        """Nothing: it runs on every device."""
        return ""

    def train(self, task: Task, progress: Progress) -> Trained:
        """Train the students of a task, in as many launches as memory asks for."""
        problem, m = task.problem, task.students.m
        rule = RULES[problem.rule]
        teacher = TEACHERS[problem.teacher].draw(problem, task.seed, task.teacher)
        axes = {name: np.asarray(values) for name, values in task.students.axes.items()}
        prepared = rule.prepare(problem, teacher, m, axes, seed=task.seed, label=task.teacher)
        devices = jax.devices()
        most = max(1, LAUNCH_BYTES // student_bytes(task)) * len(devices)
        parts = []
        for part in launches(len(m), most):
            some = Students(m[part], task.students.replica[part], {})
            own = {name: values[part] for name, values in prepared.own.items()}
            parts.append(_launch(task, teacher, some, own, prepared.shared, devices, progress))
        series = {name: np.concatenate([part.series[name] for part in parts]) for name in parts[0].series}
        v = None if parts[0].v is None else np.concatenate([part.v for part in parts])
        diverged, w = (
            np.concatenate(column) for column in zip(*((p.diverged, p.w) for p in parts), strict=True)
        )
        return Trained(series, diverged, w, v)


def _launch(
    task: Task,
    teacher: Teacher,
    students: Students,
    own: dict[str, np.ndarray],
    shared: dict[str, np.ndarray],
    devices: list[Any],
    progress: Progress,
) -> Trained:
    problem, used = task.problem, len(students.m)
    rule = RULES[problem.rule]
    mesh = jax.sharding.Mesh(np.array(devices[: max(1, min(len(devices), used))]), ("student",))
    # Devices take equal numbers: the last places are filled with copies of the first student.
    place = np.concatenate([np.arange(used), np.zeros(-used % mesh.size, int)])
    m, replica = students.m[place], students.replica[place]
    students_own = {name: value[place] for name, value in own.items()}
    setting = setting_of(problem, int(task.students.m.max()), task.test_size, task.observables)
    compiled = programs(setting, mesh)
    everywhere, split = jax.NamedSharding(mesh, jax.P()), jax.NamedSharding(mesh, jax.P("student"))
    teacher, shared = jax.device_put((teacher, shared), everywhere)
    each_one = jax.device_put(labels(task, m, replica, students_own), split)
    state = compiled.init(teacher, each_one, shared)
    each = rule.steps_of_work(problem)
    most = int(np.clip(CALL_WORK / (each * setting.slots * used), 1, MOST_TIMES))
    seen, counted, diverged, now = [], [], [], 0
    for time in task.times.tolist():
        total: dict[str, np.ndarray] = {}
        before = now
        while now < time:
            stop = min(time, now + most)
            moments = [rule.moment(problem, t) for t in range(now, stop)]
            moments += moments[-1:] * (MOST_TIMES - len(moments))
            stacked = Moment(*(np.stack(column) for column in zip(*moments, strict=True)))
            state, counts = compiled.advance(teacher, each_one, shared, state, stacked, np.int32(stop - now))
            for name, value in counts.items():
                total[name] = total.get(name, 0) + np.asarray(value, np.int64)
            jax.block_until_ready(state)
            progress((stop - now) * each * used)
            now = stop
        values, gone = compiled.observe(
            teacher, each_one, shared, state, np.uint32(time), next_batch(rule.moment(problem, time))
        )
        seen.append({name: _number(value, used) for name, value in values.items()})
        counted.append({name: value[:used] for name, value in total.items()})
        counted[-1]["work"] = np.full(used, (time - before) * each)
        diverged.append(np.asarray(gone)[:used])
    names = dict.fromkeys(name for found in counted for name in found)
    nothing = np.zeros(used, np.int64)
    series = {name: np.stack([found[name] for found in seen], axis=1) for name in seen[0]}
    series |= {name: np.stack([found.get(name, nothing) for found in counted], axis=1) for name in names}
    weights = rule.weights_of(state)
    w, v = (None if layer is None else np.asarray(layer)[:used] for layer in weights)
    return Trained(series, np.stack(diverged, axis=1), w, v)  # type: ignore[arg-type]


def next_batch(moment: Moment) -> np.uint32:
    """The number of the next fresh mini-batch: the one that begins at this moment, or the one after."""
    return np.uint32(moment.batch + (moment.past > 0))


def _number(value: Any, used: int) -> np.ndarray:
    """float64 numbers (students,) of an observable's values."""
    if isinstance(value, Ratio):
        count, of = (np.asarray(part, np.float64) for part in value)
        with np.errstate(invalid="ignore"):
            return np.broadcast_to(count / of, count.shape)[:used]
    return np.asarray(value, np.float64)[:used]


REFERENCE = Reference()
