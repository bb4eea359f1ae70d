"""The compiled programs of a launch, made once for each shape.

Four programs serve a launch: `init`, `schedule` (levels of a chunk of sweeps), `advance` (train through
sweeps of a schedule) and `observe`. Each is one `jax.shard_map` over the one axis of `engines/mesh.py`: lanes
never speak to each other, so that a lane gives the same bits alone, among thousands, or on any number of
devices. They are compiled ahead of time, side by side in threads, for exactly one set of shapes: calling them
can never compile anything again.
"""

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from mbsim.engines.mesh import AXIS, EVERYWHERE, SPLIT
from mbsim.engines.networks import Shape, Tables
from mbsim.engines.xla import metropolis
from mbsim.engines.xla import order as orders
from mbsim.engines.xla.groups import State
from mbsim.engines.xla.metropolis import Lanes, Observation, Setting
from mbsim.engines.xla.order import Schedule, UnitPlan
from mbsim.physics.order import random_order
from mbsim.sampling.streams import Key, StudentKeys


class Launch(NamedTuple):
    """What programs are compiled for: a setting, lanes on each device, sweeps in a schedule, and where its
    order comes from.

    by_units: sweeps follow a `UnitPlan`, not a `Schedule`.
    """

    setting: Setting
    lanes: int
    sweeps: int
    random_order: bool
    by_units: bool = False


class Programs(NamedTuple):
    """Compiled functions; arrays of lanes have (devices * lanes) of them, the last axis split over the mesh.

    init(tables, lanes) -> State
    schedule(source, first, phase, refresh, readers, one) -> Schedule of sweeps first, first + 1, ...;
    `source` is the
        raw key (2,) of a random order or the proposals (n,) of a fixed one, phase (S,) as in
        `order.schedule`. None with a UnitPlan
    advance(state, tables, lanes, schedule, first, begin, end, one) -> (State, accepted (lanes,)): rows begin
    to end of the schedule
        whose row 0 is sweep number `first`; a schedule of a single row, or a UnitPlan, serves every sweep.
        Consumes the state.
    observe(state, tables, lanes, time, one) -> Observation
    """

    init: Callable[..., State]
    schedule: Callable[..., Schedule] | None
    advance: Callable[..., tuple[State, Array]]
    observe: Callable[..., Observation]
    memory: dict[str, int]


def _split(ranks):
    """PartitionSpecs that split the last axis of arrays of the given ranks."""
    return jax.tree.map(lambda rank: P(*[None] * (rank - 1), AXIS), ranks)


LANES = _split(Lanes(1, 1, 1, StudentKeys(*[Key(1, 1)] * 4)))
TABLES = Tables(*[EVERYWHERE] * len(Tables._fields))
SCHEDULE = Schedule(*[EVERYWHERE] * len(Schedule._fields))
OBSERVATION = Observation(*[SPLIT] * len(Observation._fields))


def _state_specs(shape: Shape) -> State:
    sums = tuple([2] * shape.K.bit_length()) if shape.scalar else 3
    return _split(State(2, 2, 3, 3, sums, 1))._replace(batch=EVERYWHERE)


def _functions(launch: Launch, cpu: bool):
    """The four functions as they run on one device; on CPU `staged` needs `one`."""
    setting = launch.setting
    shape = setting.shape

    def init(tables, lanes):
        return metropolis.init(setting, tables, lanes)

    def schedule(source, first, phase, refresh, readers, one):
        if launch.random_order:
            key = jax.random.wrap_key_data(source, impl="threefry2x32")
            sweeps = first + jnp.arange(launch.sweeps, dtype=jnp.int32)
            proposals = random_order(key, sweeps, shape.proposals)
        else:
            proposals = jnp.broadcast_to(source[None, :], (launch.sweeps, shape.proposals))
        return orders.schedule(
            proposals,
            phase,
            refresh,
            readers,
            one if cpu else None,
            outputs=shape.M,
            output_degree=shape.output_degree,
            first_hidden=shape.first_hidden,
            hidden_degree=shape.d,
            pad=setting.group,
        )

    def advance(state, tables, lanes, schedule, first, begin, end, one):
        view = metropolis.view_of(setting, tables, lanes, one if cpu else None)

        def sweep(i, carry):
            state, accepted = carry
            if launch.by_units:
                state, more = metropolis.step_by_units(setting, view, lanes.keys, state, first + i, schedule)
            else:
                row = i if launch.sweeps > 1 else jnp.zeros((), jnp.int32)
                state, more = metropolis.step(setting, view, lanes.keys, state, first + i, schedule, row)
            return state, accepted + more

        return jax.lax.fori_loop(begin, end, sweep, (state, jnp.zeros(lanes.m.shape, jnp.int32)))

    def observe(state, tables, lanes, time, one):
        view = metropolis.view_of(setting, tables, lanes, one if cpu else None)
        return metropolis.observe(setting, view, lanes.keys, state, time)

    return init, schedule, advance, observe


def _arguments(launch: Launch, mesh: Mesh):
    """Shapes and shardings of tables, lanes and scalars, for compiling ahead of time."""
    shape, total = launch.setting.shape, launch.lanes * mesh.devices.size

    def like(dims, dtype, spec=EVERYWHERE):
        return jax.ShapeDtypeStruct(dims, dtype, sharding=NamedSharding(mesh, spec))

    links, outputs = shape.hidden_links, shape.output_links
    tables = Tables(
        like((links,), np.int32),
        like((outputs,), np.int32),
        like((shape.K, shape.readers), np.int32),
        like((links,), np.uint8),
        like((outputs,), np.uint8),
    )
    per_lane = {dtype: like((total,), dtype, SPLIT) for dtype in (np.int32, np.float32, np.uint32)}
    key = Key(per_lane[np.uint32], per_lane[np.uint32])
    lanes = Lanes(
        per_lane[np.int32], per_lane[np.float32], per_lane[np.float32], StudentKeys(key, key, key, key)
    )
    return tables, lanes, like((), np.int32), like


def compiled(launch: Launch, mesh: Mesh) -> Programs:
    """The programs, compiled anew."""
    cpu = mesh.devices.flat[0].platform == "cpu"
    init, schedule, advance, observe = _functions(launch, cpu)
    tables, lanes, number, like = _arguments(launch, mesh)
    shape = launch.setting.shape
    state_specs = _state_specs(shape)

    def lower(function, inputs, outputs, arguments, donate=()):
        mapped = jax.shard_map(function, mesh=mesh, in_specs=inputs, out_specs=outputs, check_vma=False)
        return jax.jit(mapped, donate_argnums=donate).lower(*arguments)

    def placed(tree, specs):
        return jax.tree.map(lambda a, s: like(a.shape, a.dtype, s), tree, specs)

    lowered = {"init": lower(init, (TABLES, LANES), state_specs, (tables, lanes))}
    state = placed(lowered["init"].out_info, state_specs)
    if launch.by_units:
        groups, positions = (
            like((shape.K, launch.setting.group), np.int32),
            like((shape.hidden_links,), np.int32),
        )
        plan: UnitPlan | Schedule = UnitPlan(groups, number, positions)
        plan_specs: UnitPlan | Schedule = UnitPlan(EVERYWHERE, EVERYWHERE, EVERYWHERE)
    else:
        source = like((2,), np.uint32) if launch.random_order else like((shape.proposals,), np.int32)
        order = (source, number, like((launch.sweeps,), np.int32), number, tables.readers, number)
        lowered["schedule"] = lower(schedule, (EVERYWHERE,) * 6, SCHEDULE, order)
        plan, plan_specs = placed(lowered["schedule"].out_info, SCHEDULE), SCHEDULE
    lowered["advance"] = lower(
        advance,
        (state_specs, TABLES, LANES, plan_specs, EVERYWHERE, EVERYWHERE, EVERYWHERE, EVERYWHERE),
        (state_specs, SPLIT),
        (state, tables, lanes, plan, number, number, number, number),
        donate=(0,),
    )
    watch = (state, tables, lanes, number, number)
    lowered["observe"] = lower(
        observe, (state_specs, TABLES, LANES, EVERYWHERE, EVERYWHERE), OBSERVATION, watch
    )
    with ThreadPoolExecutor(len(lowered)) as pool:
        made = dict(zip(lowered, pool.map(lambda program: program.compile(), lowered.values()), strict=True))
    # What one device holds at once: arguments and results that are not the same memory, and temporaries.
    sizes = {name: program.memory_analysis() for name, program in made.items()}
    memory = {
        name: size.argument_size_in_bytes
        + size.output_size_in_bytes
        - size.alias_size_in_bytes
        + size.temp_size_in_bytes
        for name, size in sizes.items()
    }
    return Programs(made["init"], made.get("schedule"), made["advance"], made["observe"], memory)


@functools.lru_cache(maxsize=64)
def programs(launch: Launch, mesh: Mesh) -> Programs:
    """The compiled programs; asking again for the same returns the same."""
    return compiled(launch, mesh)
