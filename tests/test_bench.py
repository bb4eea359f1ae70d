"""`mbsim bench`: what is timed is what was asked for, in a table whose columns say so."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from students import one_device

from mbsim.engines.networks import Shape
from mbsim.engines.pallas import layout
from mbsim.engines.pallas.targets import Target
from mbsim.running import bench, bench_sgd, bench_tables, timings


@pytest.mark.parametrize(
    "case",
    [
        bench.Case("vector", 12, 3, 8, "random"),
        pytest.param(bench.Case("scalar", 15, 3, 8, "sequential"), marks=pytest.mark.slow),
    ],
)
def test_a_case_is_timed(case):
    """A student makes as many proposals in a sweep as it has trained weights; the start is timed apart."""
    prepared = bench.prepare(case, one_device())
    assert prepared.engine == "registers"
    assert prepared.students == 8 * 64
    links = (2 if case.kind == "vector" else 1) * case.N * case.d
    start, long = (bench.run(prepared, sweeps) for sweeps in (0, 2000))
    assert start.work == 0
    assert long.work == 2000 * prepared.students * links
    assert 0 < long.accepted < long.work
    assert timings.rate(prepared, long, start) > timings.rate(prepared, long) > 0
    told = json.loads(bench_tables.as_json([timings.Measurement(prepared, long, start)], one_device()))
    assert told["device"].startswith("1 x ") and told["jax_version"]
    [row] = told["cases"]
    assert row["case"] == str(case)
    assert row["students"] * 2000 * links / row["wall_seconds"] == pytest.approx(row["per_second"])
    [table] = bench_tables.tables([timings.Measurement(prepared, long, start)])
    headings = [str(column.header) for column in table.columns]
    assert headings[:5] == ["case", "students", "sweeps", "all, M/s", "a core, M/s"]
    assert next(iter(table.columns[1].cells)) == "512"
    explained(table)


def explained(table):
    """Each column has words under the table."""
    names = {str(column.header).partition(",")[0] for column in table.columns} - {"case"}
    assert all(f"{name}: " in table.caption for name in names), names


@pytest.mark.slow
def test_gradient_descent_is_timed():
    """Steps of all students; rates are in a table of their own, and in the same object."""
    found = bench_sgd.measure(bench_sgd.Case("sparse", 12, 8), 0.2, one_device())
    assert found.prepared.engine == "batched"
    assert found.run.work == found.run.length * found.prepared.students > 0 == found.start.work
    metropolis = bench.prepare(bench.Case("vector", 12, 3, 8, "random"), one_device())
    both = [timings.Measurement(metropolis, *(bench.run(metropolis, n) for n in (50, 0))), found]
    _, second = bench_tables.tables(both)
    assert [str(column.header) for column in second.columns][2:4] == ["steps", "all, k/s"]
    explained(second)
    told = json.loads(bench_tables.as_json(both, one_device()))
    assert [case["counted"] for case in told["cases"]] == ["proposals", "steps"]
    for key in ("processor", "processor_features", "numba_version", "llvmlite_version", "jax_version"):
        assert told[key], key
    for case in told["cases"]:
        assert set(case) <= {"case", "engine", *told["columns"]}


def test_operations_of_the_roofline_are_those_of_the_algorithm(monkeypatch):
    """Counted by hand: the popcounts of a proposal, and what doubles with the words of a student."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))
    import roofline_counts

    shape = Shape(64, 64, 64, 3, 3, True, True)
    still, busy, wide = (
        roofline_counts.of_registers(shape, 64, m, accepted) for m, accepted in ((64, 0), (64, 1), (128, 0))
    )
    # Wrong answers of an output before and after; of three of them for a hidden link.
    assert still.popcounts == busy.popcounts == (2 + 3 * 2) / 2
    assert wide.popcounts == 2 * still.popcounts
    assert still.logic < busy.logic and still.bytes < busy.bytes
    # Sums of changes of one output, and of three, have two and three planes.
    of = layout.layout_for(Target("gpu"), shape, 32, 10**4)
    assert roofline_counts.of_pallas(shape, of).popcounts == (2 + 3) / 2


def written(path, rates, **more):
    cases = [{"case": name, "per_second_of_a_device": rate, **more} for name, rate in rates.items()]
    path.write_text(json.dumps({"device": "2 x cpu", "cases": cases}))
    return str(path)


def compared(*files):
    command = [sys.executable, Path(__file__).parents[1] / "benchmarks" / "compare.py", *files]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_two_files_are_compared_case_by_case(tmp_path):
    before = written(tmp_path / "before.json", {"a": 100e6, "b": 50e6, "gone": 1e6})
    after = written(tmp_path / "after.json", {"a": 150e6, "b": 49e6, "new": 2e6})
    same = compared(before, after)
    assert same.returncode == 0, "2 % is no change"
    assert "1.500" in same.stdout and "0.980" in same.stdout and "only before" in same.stdout
    assert compared(after, before).returncode == 1, "a third slower"
    (tmp_path / "empty.json").write_text("{}")
    none = compared(before, tmp_path / "empty.json")
    assert (none.returncode, none.stdout) == (2, "")
    assert "no file of `mbsim bench --json`" in none.stderr
    (tmp_path / "bare.json").write_text('{"cases": [{"case": "a"}]}')
    for pair in ((before, tmp_path / "bare.json"), (tmp_path / "bare.json", before)):
        assert compared(*pair).returncode == 2


def test_runs_of_another_length_are_told(tmp_path):
    """A slower program does fewer sweeps."""
    long = written(tmp_path / "long.json", {"a": 100e6, "b": 50e6}, sweeps=320)
    short = written(tmp_path / "short.json", {"a": 60e6, "b": 30e6}, sweeps=68)
    found = compared(long, short)
    assert found.returncode == 1
    assert found.stdout.count("0.600  in runs of 320 and 68\n") == 2
