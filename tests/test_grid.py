"""Units of work, times of measurement, and the refusal of a run that does not fit."""

import os
import re
import tracemalloc
from itertools import groupby, product

import numpy as np
import pytest

from mbsim.cli.training import rehearse
from mbsim.config.configuration import load_config
from mbsim.errors import ConfigError
from mbsim.plan.memory import GIB, check_dataset, check_memory, dataset_bytes, host_memory
from mbsim.plan.tasks import LIMITS, kind_of, launches
from mbsim.plan.times import measurement_times
from mbsim.plan.units import (
    MOST_PLANNED,
    cost_of,
    count,
    foremost,
    students_of,
    units,
    whole_work,
    work_of,
)
from mbsim.running import checks


def configured(model="sparse-vector", overrides=(), **grid):
    grid = {"N": [16, 8], "d": [3, 5], "m": [2, 31, 32, 33, 64, 65, 200], "teachers": 3, "replicas": 5} | grid
    return load_config({"model": model, "grid": grid}, overrides)


CONFIGURATIONS = [
    configured(),
    configured("sparse-scalar", N=[7, 15]),
    configured(m={"start": 1, "stop": 130, "step": 3}),
    configured(m={"unit": "N*d", "values": [0.1, 0.5, 1, 10, 1000]}),
    configured(init_overlap=[0, 1], temperature=[0.0, 0.5, 1.0]),
    configured(overrides=["model.hidden=9"], m=[2**24, 1]),
    configured(N=[8], d=[1], m=[1], teachers=1, replicas=1),
    configured(N=[100_003], d=[1001], teachers=2, m=[100_001, 100_002]),
]


def labels_of(unit):
    teachers = range(unit.first_teacher, unit.first_teacher + unit.teachers)
    return product([(unit.N, unit.d)], unit.m, teachers)


@pytest.mark.parametrize("config", CONFIGURATIONS)
def test_units_cover_the_grid_exactly_once(config):
    asked = [
        ((N, d), m, teacher)
        for N, d in product(config.grid.N, config.grid.d)
        for m in config.m_values(N, d)
        for teacher in range(config.grid.teachers)
    ]
    given = [student for unit in units(config) for student in labels_of(unit)]
    assert sorted(given) == asked
    assert len(set(given)) == len(given)


@pytest.mark.parametrize("config", CONFIGURATIONS)
def test_every_unit_carries_all_its_students_and_sizes(config):
    for unit in units(config):
        assert unit.replicas == config.grid.replicas
        assert unit.axes == config.axes
        assert (unit.K, unit.M) == (config.model.hidden_units(unit.N), config.model.outputs(unit.N))
        students = list(product(*unit.axes.values(), unit.m, range(unit.teachers), range(unit.replicas)))
        assert unit.students == len(students) == np.prod(unit.shape)


@pytest.mark.parametrize("config", CONFIGURATIONS)
def test_no_two_units_share_a_place(config):
    stems = [unit.stem for unit in units(config)]
    assert len({stem.lower() for stem in stems}) == len(stems)
    assert all(re.fullmatch("[A-Za-z0-9.-]+", stem) for stem in stems)


MANY = {"N": [16, 64], "d": [3], "m": [4, 8, 12, 16]}


def test_a_unit_is_some_seconds_of_work_or_a_small_part_of_the_run():
    """Whatever the size of the run: see `mbsim.plan.units` for the limits."""
    for teachers, replicas, sweeps in ((1, 2, 32), (200, 4, 300), (10_000, 2, 32), (40, 512, 20_000)):
        config = configured(
            **MANY | {"teachers": teachers, "replicas": replicas}, overrides=[f"dynamics.sweeps={sweeps}"]
        )
        some = units(config)
        total = sum(work_of(unit, config) for unit in some)
        largest = max(work_of(unit, config) for unit in some)
        one_m = max(work_of(unit, config) / len(unit.m) / unit.teachers for unit in some)
        assert largest <= max(2e9, 1.01 * total / 2048, one_m)
        assert len(some) <= 4096
        assert max(unit.students for unit in some) <= max(2**16, replicas)
        if total > 1e10:
            assert len(some) >= 32  # so that many workers have something to do


def test_places_are_those_of_a_regular_grid_of_chunks():
    """All units of a group are of one size, but for those at its end."""
    config = configured(**MANY | {"teachers": 1000, "replicas": 64}, overrides=["dynamics.sweeps=3000"])
    for _, some in groupby(units(config), key=lambda unit: unit.group):
        group = list(some)
        teachers, sizes = group[0].teachers, len(group[0].m)
        assert [unit.first_teacher for unit in group] == [unit.place[1] * teachers for unit in group]
        ends = {axis: max(unit.place[axis] for unit in group) for axis in (0, 1)}
        for unit in group:
            assert unit.teachers == teachers or unit.place[1] == ends[1]
            assert len(unit.m) == sizes or unit.place[0] == ends[0]


def test_one_teacher_that_is_much_work_is_cut_by_m():
    config = configured(
        N=[64], d=[3], m=[4, 8, 12, 16, 20], replicas=2000, teachers=2, overrides=["dynamics.sweeps=10000"]
    )
    assert [(unit.m, unit.first_teacher, unit.teachers) for unit in units(config)] == [
        ((m,), teacher, 1) for teacher in (0, 1) for m in (4, 8, 12, 16, 20)
    ]


@pytest.mark.parametrize("model", ["sparse-vector", "dense-vector"])
def test_what_is_trained_together_is_written_within_some_seconds(model):
    """Whatever a unit of work is counted in: a step of gradient descent costs what thousands of proposals do."""
    length = "sweeps=3000" if model == "sparse-vector" else "steps=3000"
    config = configured(model, **MANY | {"teachers": 300, "replicas": 32}, overrides=[f"dynamics.{length}"])
    some = list(launches(units(config), config))
    assert [unit for launch in some for unit in launch] == list(units(config))
    for launch in some:
        alone = len(launch) == 1
        assert sum(cost_of(unit, config) for unit in launch) <= LIMITS["cpu"].cost or alone
        assert len({kind_of(unit) for unit in launch}) == 1
    assert len(some) >= 16


def test_cuts_follow_from_the_configuration_that_asked_first():
    """A unit that is done is found again, however large the grid has grown."""
    small = configured(**MANY | {"teachers": 100, "replicas": 4})
    large = configured(**MANY | {"teachers": 10_000, "replicas": 64})
    assert units([small, large])[: len(units(small))] != units(large)[: len(units(small))]
    assert set(units(small)) <= set(units([small, large]))


@pytest.mark.parametrize("config", CONFIGURATIONS)
def test_what_is_known_of_a_run_without_listing_its_units(config):
    every = units(config)
    some = list(foremost(config))
    assert (count(config), students_of(config)) == (len(every), sum(unit.students for unit in every))
    assert whole_work(config) == sum(work_of(unit, config) for unit in every)
    assert set(some) <= set(every)
    largest = {(unit.N, unit.d, unit.m): unit.students for unit in some}
    assert all(unit.students <= largest[unit.N, unit.d, unit.m] for unit in every)


def test_ten_million_teachers_are_planned_in_the_memory_of_one(tmp_path, capsys):
    def planned(teachers):
        config = configured(
            N=[64], m=range(4, 30), replicas=32, teachers=teachers, overrides=["dynamics.sweeps=32"]
        )
        tracemalloc.start()
        rehearse(config, tmp_path / "new")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak, capsys.readouterr().out

    planned(1)
    few, many = planned(1), planned(5_000_000)
    assert "8,320,000,000 students of 10,000,000 teachers" in many[1]
    assert many[0] < few[0] + 2**20


def test_more_units_than_can_be_listed_are_refused_at_once():
    most = configured(N=[64], d=[3], m=[4], replicas=2**16, teachers=MOST_PLANNED)
    checks.planned(most)
    with pytest.raises(ConfigError) as error:
        checks.planned(load_config(most, ["grid.teachers=1048577"]))
    told = "grid: these 68,719,542,272 students (grid.teachers = 1048577, grid.replicas = 65536) are 1,048,577 units"
    assert one_line(error).startswith(told)


# Times of measurement

LENGTHS = [32, 33, 35, 36, 47, 63, 64, 100, 127, 300, 301, 1000, 4999, 10**5, 2**31 - 1]
NUMBERS = [12, 13, 16, 24, 31, 32, 33, 40, 64, 101, 300, 301, 1000]


@pytest.mark.parametrize("sweeps", LENGTHS)
def test_times_of_measurement(sweeps):
    for measurements in NUMBERS:
        times = measurement_times(sweeps, measurements)
        assert times.dtype == np.int64
        assert times[0] == 0
        assert times[-1] == sweeps
        assert np.all(np.diff(times) > 0)
        assert len(times) <= measurements
        assert np.sum(4 * times > 3 * sweeps) >= 8


@pytest.mark.parametrize("sweeps", LENGTHS)
def test_no_measurement_is_wasted(sweeps):
    """Every time asked for is used, unless all sweeps before the last quarter are measured already."""
    for measurements in NUMBERS:
        times = measurement_times(sweeps, measurements)
        if len(times) < min(measurements, sweeps + 1):
            before = times[4 * times <= 3 * sweeps]
            assert np.array_equal(before, np.arange(3 * sweeps // 4 + 1))


def test_times_are_log_spaced_then_even():
    times = measurement_times(100_000, 64)
    late = times[(times > 100) & (times <= 75_000)]
    factors = late[1:] / late[:-1]
    assert len(factors) > 20
    assert np.ptp(factors) < 0.02
    tail = times[times > 75_000]
    assert len(tail) == 16  # a quarter of 64
    assert np.ptp(np.diff(tail)) <= 1
    assert np.array_equal(times[:7], [0, 1, 2, 3, 4, 5, 6])


def test_times_grow_with_the_run_not_with_the_machine():
    assert measurement_times(300, 32).tolist() == [
        *(0, 1, 2, 3, 4, 5, 6, 7, 9, 11, 13, 16, 20, 25, 31, 38, 47, 57, 70, 86, 105, 128, 157, 192),
        *(235, 244, 254, 263, 272, 282, 291, 300),
    ]


def test_few_sweeps_are_all_measured():
    assert measurement_times(40, 41).tolist() == list(range(41))
    assert measurement_times(40, 10**9).tolist() == list(range(41))


@pytest.mark.parametrize(("sweeps", "measurements"), [(31, 12), (32, 11), (0, 0)])
def test_too_short_a_run_has_no_times(sweeps, measurements):
    with pytest.raises(ValueError, match="must be at least 32"):
        measurement_times(sweeps, measurements)


# Memory


def test_the_dataset_is_as_large_as_the_arrays_it_is_made_of():
    config = configured(N=[8, 16], d=[3], m={"unit": "N", "values": [1, 2]}, init_overlap=[0, 1])
    # m is 8, 16 at N = 8 and 16, 32 at N = 16: three different ones, on every (N, d).
    series = np.zeros((2, 1, 3, 3, 5, 2, 32), dtype=np.float32)
    single = np.zeros(series.shape[:-1], dtype=np.float64)
    status = np.zeros(series.shape[:-1], dtype=np.int8)
    assert dataset_bytes(config) == 4 * series.nbytes + 11 * single.nbytes + status.nbytes


def test_few_sweeps_make_few_times_in_the_dataset():
    short = configured(overrides=["dynamics.sweeps=40", "measure.measurements=1000"])
    assert dataset_bytes(short) == dataset_bytes(
        configured(overrides=["dynamics.sweeps=40", "measure.measurements=41"])
    )


def one_line(error):
    (line,) = error.value.lines
    assert "\n" not in line
    return line


def test_a_dataset_too_large_is_refused_with_the_estimate_before_anything_is_listed():
    config = configured(teachers=2**20, replicas=2**20)  # 10^13 students
    with pytest.raises(ConfigError) as error:
        check_dataset(config, 16 * GIB)
    line = one_line(error)
    assert line.startswith("grid.replicas = 1048576: the dataset (with grid.teachers = 1048576, ")
    assert f"{dataset_bytes(config) / GIB:.3g} GiB" in line
    assert "16 GiB is there" in line
    check_dataset(configured(), dataset_bytes(configured()))
    with pytest.raises(ConfigError):
        check_dataset(configured(), dataset_bytes(configured()) - 1)


def bytes_per_unit(unit):
    return 10**6 + 1000 * unit.students * unit.N


def test_a_run_that_fits_is_not_refused():
    every = units(configured(teachers=1))
    largest = max(map(bytes_per_unit, every))
    check_memory(every, bytes_per_unit, largest)
    check_memory((), bytes_per_unit, 0)
    with pytest.raises(ConfigError):
        check_memory(every, bytes_per_unit, largest - 1)


def test_the_largest_unit_is_named_with_the_replicas_that_fit():
    every = units(configured(N=[8, 16], d=[3], m=[4, 10], replicas=1000, teachers=1))
    with pytest.raises(ConfigError) as error:
        check_memory(every, bytes_per_unit, 10**7)
    line = one_line(error)
    assert line.startswith(
        "grid.replicas = 1000: 2000 students at N = 16, d = 3, m = 4 to 10 need about 0.0307 GiB"
    )
    fits = int(re.search(r"at most (\d+) replicas fit", line).group(1))
    for replicas, allowed in ((fits, True), (fits + 1, False)):
        some = units(configured(N=[8, 16], d=[3], m=[4, 10], replicas=replicas, teachers=1))
        assert (max(map(bytes_per_unit, some)) <= 10**7) is allowed


def test_where_nothing_fits_something_else_must_shrink():
    with pytest.raises(ConfigError) as error:
        check_memory(units(configured()), bytes_per_unit, 10)
    assert one_line(error).endswith("not even one replica fits; lower grid.N, or give fewer values of grid.m")


def test_teachers_cost_no_estimates():
    asked = []
    check_memory(units(configured(teachers=500)), lambda unit: asked.append(unit) or 1, 10)
    assert len(asked) < 100


def test_the_memory_of_this_machine():
    assert 2**26 < host_memory() <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
