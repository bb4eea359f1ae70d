"""The reference engine: the physics as it is written for one student, mapped over students by `jax.vmap`.

It runs every combination that a configuration allows, with every observable, on any device, and is the measure
of the other engines. Students are spread over the devices of the process; nothing passes between them. Time
goes in calls of a bounded amount of work, so that progress is told and a signal is heard.
"""

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from mbsim.engines.protocol import Progress, Task, Trained
from mbsim.engines.settings import on_jax
from mbsim.engines.widths import by_width
from mbsim.lazy import Array, jax, jnp, lax
from mbsim.physics.activations import ACTIVATIONS
from mbsim.physics.observables import OBSERVABLES, Examples, Measured, Ratio
from mbsim.physics.optimisers import OPTIMISERS
from mbsim.physics.problem import Labels, Problem, Teacher, Weights, labels_of
from mbsim.physics.rules import RULES, Group
from mbsim.physics.rules.protocol import Prepared
from mbsim.physics.students import STUDENTS, fan_in, output_weights
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


def labels(task: Task, students: np.ndarray, own: dict[str, np.ndarray]) -> Labels:
    """The labels of some students of a task, given by their places in it."""
    teacher, m, replica = (column[students] for column in task.students[:3])
    return labels_of(task.problem, m, replica, own, seed=task.seed, teacher=teacher, examples=task.examples)


class Lesson(NamedTuple):
    """A teacher, its students by their places in the task, and what the rule has prepared for them."""

    teacher: Teacher
    students: np.ndarray
    prepared: Prepared


def lessons(task: Task, students: np.ndarray) -> Iterator[Lesson]:
    """The teachers of some students of a task, one after the other."""
    problem, columns = task.problem, task.students
    numbers, which = np.unique(columns.teacher[students], return_inverse=True)
    for place, number in enumerate(numbers.tolist()):
        mine = students[which == place]
        teacher = TEACHERS[problem.teacher].draw(problem, task.seed, number)
        axes = {name: np.asarray(values)[mine] for name, values in columns.axes.items()}
        group = Group(problem, teacher, number, columns.m[mine], axes, task.seed)
        yield Lesson(teacher, mine, RULES[problem.rule].prepare(group))


def classes(task: Task, students: np.ndarray) -> list[list[Lesson]]:
    """The same, those together whose arrays have the same shapes."""
    alike: dict[Any, list[Lesson]] = {}
    for lesson in lessons(task, students):
        shapes = tuple((name, value.shape) for name, value in lesson.prepared.shared.items())
        alike.setdefault(shapes, []).append(lesson)
    return list(alike.values())


class Programs(NamedTuple):
    """The three functions, mapped over students on all devices and compiled."""

    init: Any
    advance: Any
    observe: Any


@functools.lru_cache(maxsize=64)
def programs(setting: Setting, mesh: Any, many: bool) -> Programs:
    """Compiled functions of (which, teachers, shared, labels, ...): students along the first axis, `which` the place
    of each one's teacher among the teachers and what they share, which are one, without that axis, if not `many`.
    """
    each, same = jax.P("student"), jax.P()

    def mapped(function: Any, inputs: tuple[Any, ...], outputs: Any) -> Any:
        def of_student(
            which: Array, teachers: Teacher, shared: dict[str, Array], labels: Labels, *more: Any
        ) -> Any:
            mine = (teachers, shared)
            if many:
                mine = jax.tree.map(lambda part: part[which], mine)
            return function(setting, mine[0], labels, mine[1], *more)

        inputs = each, same, same, each, *inputs
        over = jax.vmap(of_student, in_axes=tuple(0 if spec == each else None for spec in inputs))
        return jax.jit(jax.shard_map(over, mesh=mesh, in_specs=inputs, out_specs=outputs, check_vma=False))

    return Programs(
        mapped(init, (), each),
        mapped(advance, (each, same, same), (each, each)),
        mapped(observe, (each, same, same), (each, each)),
    )


def student_bytes(task: Task, m: int) -> int:
    """Estimated memory of one student with batches of m in training or while it is measured, in bytes."""
    problem = task.problem
    slots = max(m, task.test_size)
    widest = max(problem.N, problem.K, problem.M, problem.student_hidden)
    hidden, output = fan_in(problem)
    links = problem.student_hidden * hidden + problem.M * output
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
    title: str = "the law as it is written, mapped by JAX, on CPU, GPU and TPU"
    accelerated: bool = False

    def refuses(self, task: Task) -> str:
        """Nothing."""
        return ""

    def prepare(self, task: Task, progress: Progress) -> None:
        """Nothing: programs are compiled as they are met."""

    def host_bytes(self, task: Task) -> int:
        """Launches are cut to a bounded size, unless one student exceeds it; on one device."""
        each = student_bytes(task, int(task.students.m.max()))
        return max(1, min(len(task.students.m), LAUNCH_BYTES // each)) * each

    def kernel(self, task: Task) -> str:
        """The law."""
        return "reference"

    def known_answers(self, task: Task) -> bool:
        """It is what the others are compared with."""
        return True

    def unavailable(self, task: Task) -> str:
        """Nothing: it runs on every device."""
        return ""

    @on_jax()
    def train(self, task: Task, progress: Progress) -> Trained:
        """Train the students of a task, in as many launches as widths of batches and memory ask for."""
        parts: list[tuple[np.ndarray, Trained]] = []
        for students in by_width(task.students.m):
            each = student_bytes(task, int(task.students.m[students].max()))
            for part in launches(len(students), max(1, LAUNCH_BYTES // each) * len(jax.local_devices())):
                for alike in classes(task, students[part]):
                    parts.append(
                        (np.concatenate([one.students for one in alike]), _launch(task, alike, progress))
                    )
        back = np.argsort(np.concatenate([places for places, _ in parts]))
        trained = [one for _, one in parts]

        def joined(columns: list[np.ndarray]) -> np.ndarray:
            all_of_them = np.concatenate(columns)
            return all_of_them[back] if len(all_of_them) else all_of_them

        return Trained(
            {name: joined([one.series[name] for one in trained]) for name in trained[0].series},
            joined([one.diverged for one in trained]),
            joined([one.w for one in trained]),
            None if trained[0].v is None else joined([one.v for one in trained if one.v is not None]),
        )


def _launch(task: Task, alike: list[Lesson], progress: Progress) -> Trained:
    """Train the students of some teachers, in that order."""
    problem, devices = task.problem, jax.local_devices()
    students = np.concatenate([one.students for one in alike])
    which = np.repeat(np.arange(len(alike)), [len(one.students) for one in alike])
    own = {name: np.concatenate([one.prepared.own[name] for one in alike]) for name in alike[0].prepared.own}
    used, rule = len(students), RULES[problem.rule]
    mesh = jax.sharding.Mesh(np.array(devices[: max(1, min(len(devices), used))]), ("student",))
    # Devices take equal numbers: the last places are filled with copies of the first student.
    place = np.concatenate([np.arange(used), np.zeros(-used % mesh.size, int)])
    slots = int(task.students.m[students].max())
    setting = setting_of(problem, slots, task.test_size, task.observables)
    compiled = programs(setting, mesh, len(alike) > 1)
    everywhere, split = jax.NamedSharding(mesh, jax.P()), jax.NamedSharding(mesh, jax.P("student"))
    taught = [(one.teacher, one.prepared.shared) for one in alike]
    known = taught[0] if len(alike) == 1 else jax.tree.map(lambda *parts: np.stack(parts), *taught)
    each_one = labels(task, students[place], {name: value[place] for name, value in own.items()})
    given = (
        jax.device_put(which[place].astype(np.int32), split),
        *jax.device_put(known, everywhere),
        jax.device_put(each_one, split),
    )
    state = compiled.init(*given)
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
            state, counts = compiled.advance(*given, state, stacked, np.int32(stop - now))
            for name, value in counts.items():
                total[name] = total.get(name, 0) + np.asarray(value, np.int64)
            jax.block_until_ready(state)
            progress((stop - now) * each * used)
            now = stop
        values, gone = compiled.observe(
            *given, state, np.uint32(time), next_batch(rule.moment(problem, time))
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
    kept = used if task.final_weights else 0
    w, v = (None if layer is None else np.asarray(layer[:kept]) for layer in weights)
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
