"""Links looked up and links as matrices (on a TPU) are the same network."""

import jax.numpy as jnp
import numpy as np
import pytest
from sgd_students import Case

from mbsim.engines.batched import networks
from mbsim.engines.batched.networks import Weights
from mbsim.engines.batched.setting import Context, tables_of

KINDS = {
    "vector": dict(),
    "irregular": dict(K=9, M=11),
    "outputs fixed": dict(train_output=False),
    "scalar": dict(M=1),
    "ntk": dict(ntk=True),
}


@pytest.mark.parametrize(
    "kind", ["vector", *(pytest.param(k, marks=pytest.mark.slow) for k in KINDS if k != "vector")]
)
def test_links_as_matrices_change_rounding_only(kind):
    """Answers of teacher and student, gradients, and the overlap."""
    case, rng = Case(dense=False, **KINDS[kind]), np.random.default_rng(0)
    shape = case.shape
    tables = tables_of(case.teachers, shape)
    own = type(tables)(*(jnp.asarray(part[0]) for part in tables))
    w, v = (
        None if size is None else rng.normal(size=size).astype(np.float32) for size in shape.weight_shapes
    )
    weights = Weights(jnp.asarray(w), None if v is None else jnp.asarray(v))
    x = jnp.asarray(rng.choice([-1, 1], (shape.N, 6)), jnp.float32)
    delta = jnp.asarray(rng.normal(size=(shape.M, 6)), jnp.float32)

    def found(looks_up: bool) -> list[np.ndarray]:
        context = Context(case.setting(6), own, None, looks_up)
        seen = networks.forward(context, weights, x)
        gradient = networks.gradient(context, weights, seen, delta)
        parts = [networks.teacher_outputs(context, x), seen.y, *gradient]
        parts.append(networks.best_matches(context, weights.w))
        return [np.asarray(part) for part in parts if part is not None]

    for one, other in zip(found(True), found(False), strict=True):
        assert one.shape == other.shape and np.abs(one).max() > 0.01
        np.testing.assert_allclose(one, other, atol=2e-5)
