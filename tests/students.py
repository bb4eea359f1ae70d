"""What the tests share: small ensembles trained by the kernel, and the same random numbers unpacked for the
oracle.
"""

import jax
import jax.numpy as jnp
import numpy as np
import oracle

from mbsim.engines import ensemble, networks
from mbsim.engines.mesh import student_mesh
from mbsim.engines.xla import memory, metropolis
from mbsim.engines.xla.groups import acceptance_uniforms
from mbsim.physics import order as orders
from mbsim.sampling import streams

SEED = 11


def labels(m, replicas=1, init_overlap=0.0, temperature=0.0) -> ensemble.StudentLabels:
    """Students for the product of the values of m and the replicas; the rest is broadcast over them."""
    m = np.repeat(np.atleast_1d(m), replicas)
    replica = np.tile(np.arange(replicas), len(m) // replicas)
    overlap, heat = (
        np.broadcast_to(np.asarray(x, float), m.shape).copy() for x in (init_overlap, temperature)
    )
    return ensemble.StudentLabels(m, replica, overlap, heat)


def one_device() -> jax.sharding.Mesh:
    return student_mesh(jax.devices()[:1])


def unpack(words: np.ndarray, m: int) -> np.ndarray:
    """Packed rows (rows, words) of one student to ±1 examples (m, rows), bit by bit."""
    bits = words.dtype.itemsize * 8
    columns = [(words[:, e // bits] >> (e % bits)) & 1 for e in range(m)]
    return 1 - 2 * np.stack(columns).astype(np.int64)


class Student:
    """One student's random numbers, as the oracle wants them; `lane` are labels (1,)."""

    def __init__(self, teacher, N, lane, train_output, teacher_label=0, order="random"):
        self.teacher, self.N, self.train_output = teacher, N, train_output
        self.m = int(lane.m[0])
        self.shape = networks.shape_of(teacher, N, train_output)
        self.setting = memory.setting_of(self.shape, self.m, 64, True)
        d = self.shape.d
        self.keys = streams.keys_of_students(SEED, N, d, teacher_label, lane.m, lane.replica)
        self.lanes = metropolis.Lanes(
            jnp.asarray(lane.m, jnp.int32),
            jnp.asarray(lane.init_overlap, jnp.float32),
            jnp.asarray(lane.temperature, jnp.float32),
            self.keys,
        )
        self.temperature = float(lane.temperature[0])
        self.order_key = jax.random.wrap_key_data(jnp.asarray(streams.order_key(SEED, N, d, teacher_label)))
        self.sequential = order == "sequential"

    def initial(self):
        tables = networks.tables_of(self.teacher, self.shape)
        state = metropolis.init(self.setting, jax.tree.map(jnp.asarray, tables), self.lanes)
        w, v = (1 - 2 * (np.asarray(x)[:, 0] != 0).astype(int) for x in (state.w, state.v))
        return w.reshape(self.teacher.w.shape), v.reshape(self.teacher.v.shape)

    def examples(self, batch):
        words = metropolis.examples(self.setting, self.keys, jnp.int32(batch), None)
        return unpack(np.asarray(words)[:, :, 0], self.m)

    def order(self, sweep):
        if self.sequential:
            t = self.teacher
            return orders.sequential_order(t.output_sources, self.shape.d, self.shape.K, self.train_output)
        return np.asarray(
            orders.random_order(self.order_key, jnp.asarray([sweep], jnp.int32), self.shape.proposals)
        )[0]

    def uniforms(self, sweep):
        positions = jnp.arange(self.shape.proposals, dtype=jnp.int32)
        return np.asarray(acceptance_uniforms(self.keys.acceptance, jnp.int32(sweep), positions))[:, 0]

    def oracle(self, sweeps, refresh=None, law=None):
        """Train this student with the NumPy oracle on the same random numbers."""
        w, v = self.initial()
        t = self.teacher
        return oracle.metropolis(
            hidden_sources=t.hidden_sources,
            output_sources=t.output_sources,
            teacher_w=t.w.astype(int),
            teacher_v=t.v.astype(int),
            w=w,
            v=v,
            train_output=self.train_output,
            refresh=self.shape.proposals if refresh is None else refresh,
            sweeps=sweeps,
            examples=self.examples,
            order=self.order,
            uniforms=self.uniforms,
            temperature=self.temperature,
            law=law,
        )
