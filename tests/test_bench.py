"""`mbsim bench`: what is timed is what was asked for, in a table whose columns say so."""

import pytest
from students import one_device

from mbsim.running import bench


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
    assert start.proposals == 0
    assert long.proposals == 2000 * prepared.students * links
    assert 0 < long.accepted < long.proposals
    assert bench.rate(prepared, long, start) > bench.rate(prepared, long) > 0
    table = bench.table([bench.Measurement(prepared, long, start)], one_device())
    headings = [str(column.header) for column in table.columns]
    assert headings[:4] == ["case", "students", "sweeps", "total"]
    assert next(iter(table.columns[1].cells)) == "512"
