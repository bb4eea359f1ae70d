"""The sequential baseline of the benchmarks runs the dynamics that it claims to run."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from mbsim.physics.graphs import random_sources

pytest.importorskip("numba")
PATH = Path(__file__).parents[1] / "benchmarks" / "baseline.py"
SPEC = importlib.util.spec_from_file_location("baseline", PATH)
baseline = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(baseline)


class Unpacked:
    """A baseline student on unpacked arrays, every energy counted from a full forward pass."""

    def __init__(self, student, N, m, hidden_sources, output_sources):
        self.hidden_sources, self.output_sources = hidden_sources, output_sources
        self.weights, self.teacher = (np.where(words, -1, 1) for words in (student.weights, student.teacher))
        rows = student.x.reshape(N, -1).view(np.uint8)  # little-endian machines only
        self.x = 2 * np.unpackbits(rows, axis=1, bitorder="little")[:, :m].T.astype(int) - 1

    def outputs(self, weights):
        """Outputs (m, M) with these weights."""
        v = weights[: self.output_sources.size].reshape(self.output_sources.shape)
        w = weights[self.output_sources.size :].reshape(self.hidden_sources.shape)
        h = np.sign((w * self.x[:, self.hidden_sources]).sum(axis=-1))
        return np.sign((v * h[:, self.output_sources]).sum(axis=-1))

    def energy(self):
        """Number of wrong outputs on the batch."""
        return (self.outputs(self.weights) != self.outputs(self.teacher)).sum()


@pytest.mark.parametrize(
    ("kind", "N", "d", "m", "order"),
    [
        ("vector", 24, 3, 5, "random"),
        pytest.param("vector", 24, 5, 64, "sequential", marks=pytest.mark.slow),
        pytest.param("vector", 18, 9, 150, "random", marks=pytest.mark.slow),
        ("scalar", 15, 3, 30, "sequential"),
        ("scalar", 15, 5, 700, "random"),
    ],
)
def test_every_proposal_of_a_sweep_is_decided_by_the_true_change_of_energy(kind, N, d, m, order):
    rng = np.random.default_rng([N, d, m])
    vector = kind == "vector"
    hidden = random_sources(N, N, d, rng)
    outputs = random_sources(N, N, d, rng) if vector else np.arange(N)[None]
    student = baseline.new_student(N, m, rng, hidden, outputs, train_output=vector)
    size, sequential = (d,) if vector else (N, d), baseline.SEQUENTIAL[order]
    compile_run = baseline.vector_kernel if vector else baseline.scalar_kernel
    run = compile_run(*size, len(student.valid), sequential, traced=True)
    before = student.weights.copy()
    accepted = run(1, np.uint64(m), *student)
    after = student.weights.copy()
    student.weights[:] = before
    slow = Unpacked(student, N, m, hidden, outputs)

    first = 0 if vector else N
    trace = student.trace[: len(before) - first]
    energy = slow.energy()
    for link, change in trace:
        slow.weights[link] *= -1
        proposed = slow.energy()
        assert proposed - energy == change
        if change <= 0:
            energy = proposed
        else:
            slow.weights[link] *= -1
    assert (np.where(after, -1, 1) == slow.weights).all()
    assert accepted == (trace[:, 1] <= 0).sum()
    assert (trace[:, 1] < 0).any()
    assert (trace[:, 1] > 0).any()
    if sequential:
        assert (trace[:, 0] == np.arange(first, len(before))).all()
    else:
        assert first <= trace[:, 0].min() < first + N
        assert trace[:, 0].max() >= len(before) - N
        assert len(np.unique(trace[:, 0])) < len(trace)  # with replacement


def test_a_student_learns_its_teacher_with_a_large_batch():
    N, d = 64, 3
    rng = np.random.default_rng(0)
    graphs = random_sources(N, N, d, rng), random_sources(N, N, d, rng)
    result = baseline.vector(N, d, 64, 200, "random", 0, *graphs)
    overlap = (result.weights * result.teacher).reshape(2, N, d)
    paths = overlap[0] * overlap[1].sum(axis=-1)[graphs[1]]
    assert result.proposals == 200 * 2 * N * d
    assert 0 < result.accepted < result.proposals
    assert paths.mean() > 0.95 * d
