"""Known answers of gradient descent, for the device at hand: as `engines.known_answers`, for real weights.

A few students of a fixed teacher are trained, and their errors and overlaps must be those below, which a
plain NumPy simulation in float64 found from the same random numbers (`tests/test_sgd_selfcheck.py` makes them
again). Devices round differently, so that digests would say nothing: the tolerance is that of float32, and of
reduced-precision products where an accelerator has them.
"""

import numpy as np
from jax.sharding import Mesh

from mbsim.engines import known_answers as selfcheck
from mbsim.engines.batched.ensemble import Sgd, SgdLabels, shape_of, train
from mbsim.engines.networks import stacked

STEPS = 30
LABELS = SgdLabels(
    teacher=np.zeros(3, int),
    m=np.array([9, 10, 10]),  # one program, in which the first student leaves a slot of its batches unused
    replica=np.array([0, 0, 1]),
    lr=np.array([0.05, 0.2, 0.2]),
)
TEST_SIZE = 64
KNOWN = {  # generalisation error and overlap of each student after the last step
    "dense": ((0.3593453, 0.1282720, 0.0931975), (0.6808337, 0.7036774, 0.6834757)),
    "sparse": ((0.7225559, 0.4126968, 0.3148589), (0.6665472, 0.6894429, 0.7724816)),
}
TOLERANCE = 5e-3


def run(kind: str, mesh: Mesh | None = None) -> np.ndarray:
    """Errors and overlaps (2, students) that this device gives for a "dense" or a "sparse" student."""
    drawn = stacked([selfcheck.teacher("vector")])
    shape = shape_of(drawn, selfcheck.SIZE, dense=kind == "dense", train_output=True, activation="tanh")
    records, _ = train(
        drawn,
        np.zeros(1, int),
        shape,
        LABELS,
        np.array([STEPS]),
        Sgd(),
        seed=selfcheck.SEED,
        test_size=TEST_SIZE,
        mesh=mesh,
    )
    return np.stack([records.generalization_error[:, 0], records.overlap[:, 0]])


def passes(kind: str, mesh: Mesh | None = None) -> bool:
    """Whether the device gives the known answers."""
    return bool(np.allclose(run(kind, mesh), KNOWN[kind], rtol=TOLERANCE, atol=0))
