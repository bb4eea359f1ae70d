"""Teachers drawn by compiled code, many at once on all cores, are those that NumPy draws one by one."""

import numpy as np
import pytest
from against_reference import problem_of

from mbsim.engines import drawing
from mbsim.engines.drawing import graphs
from mbsim.physics.teachers import TEACHERS

NETWORKS = {
    "N outputs": (12, 12, 12, 3, True),
    "outputs fixed": (10, 10, 10, 5, False),
    "one output": (9, 9, 1, 3, False),
}


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_teachers_are_those_of_numpy(network, monkeypatch):
    monkeypatch.setattr(graphs, "FEWEST", 1)
    monkeypatch.setattr(graphs, "cores", lambda: 3)
    problem, numbers = problem_of(network), np.array([0, 7, 3, 12, 5, 6, 40, 2])
    assert drawing.draws(problem)
    together = drawing.teachers_of(problem, 11, numbers)
    for place, number in enumerate(numbers.tolist()):
        alone = TEACHERS[problem.teacher].draw(problem, 11, number)
        for part, right in zip(together, alone, strict=True):
            np.testing.assert_array_equal(part[place], right)
