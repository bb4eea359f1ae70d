"""What the tests share: students to train, and one student's random numbers for the oracle, worked out in NumPy
from the definition of the streams.
"""

import jax
import numpy as np
import oracle

from mbsim.engines import networks
from mbsim.engines.mesh import student_mesh
from mbsim.engines.task import StudentLabels
from mbsim.physics import order as orders
from mbsim.physics.problem import Teacher
from mbsim.physics.teachers import draw_teacher
from mbsim.sampling import streams
from mbsim.sampling.streams import Key

SEED = 11


def labels(m, replicas=1, init_overlap=0.0, temperature=0.0, teachers=1) -> StudentLabels:
    """Students for the product of the teachers, the values of m and the replicas; the rest is broadcast over the last
    two.
    """
    m = np.repeat(np.atleast_1d(m), replicas)
    replica = np.tile(np.arange(replicas), len(m) // replicas)
    overlap, heat = (np.broadcast_to(np.asarray(x, float), m.shape) for x in (init_overlap, temperature))
    teacher = np.repeat(np.arange(teachers), len(m))
    return StudentLabels(teacher, *(np.tile(column, teachers) for column in (m, replica, overlap, heat)))


def pick(students: StudentLabels, index) -> StudentLabels:
    """Some of the students."""
    return StudentLabels(*(column[index] for column in students))


def drawn(network, numbers=(0,), seed=SEED) -> Teacher:
    """The teachers with these numbers of a network (N, K, M, d, train_output), stacked."""
    return networks.stacked([draw_teacher(*network, seed, number) for number in numbers])


def one_device() -> jax.sharding.Mesh:
    return student_mesh(jax.devices()[:1])


def uniform(word: np.ndarray) -> np.ndarray:
    """float32 in [0, 1) from the upper 24 bits of a word."""
    return np.float32(word >> np.uint32(8)) * np.float32(2.0**-24)


def random_order(key: np.ndarray, sweep: int, n: int) -> np.ndarray:
    """The proposals (n,) of a sweep under a teacher's raw key (2,): of two words h and l of 32 bits,
    (h mod n) (2^32 mod n) + (l mod n), mod n, with products of 32 bits.
    """
    of_sweep = streams.fold(Key(key[:1], key[1:]), sweep)
    place = np.arange(n, dtype=np.uint32)
    words = (streams.threefry(streams.fold(of_sweep, part), np.zeros_like(place), place) for part in (0, 1))
    high, low = ((first ^ second).astype(np.uint64) for first, second in words)
    carry = np.uint64((2**16 % n) ** 2 % 2**32 % n)
    return ((high % n * carry % 2**32 + low % n) % 2**32 % n).astype(np.int64)


class Student:
    """One student's random numbers, as the oracle wants them; `one` are labels (1,), `teacher` is its own."""

    def __init__(self, teacher, N, one, train_output, order="random", number=0, seed=SEED):
        self.teacher, self.N, self.train_output = teacher, N, train_output
        self.m, self.temperature = int(one.m[0]), float(one.temperature[0])
        self.init_overlap = np.float32(one.init_overlap[0])
        self.shape = networks.shape_of(networks.stacked([teacher]), N, train_output)
        d = self.shape.d
        self.keys = streams.keys_of_students(seed, N, d, number, one.m, one.replica)
        self.order_key = streams.order_key(seed, N, d, number)
        self.sequential = order == "sequential"

    def initial(self):
        def weights(teacher, layer):
            link = np.arange(teacher.size, dtype=np.uint32)
            word, _ = streams.threefry(self.keys.weights, np.full_like(link, layer), link)
            agrees = uniform(word) < (1 + self.init_overlap) / 2
            return teacher * np.where(agrees, 1, -1).reshape(teacher.shape)

        v = weights(self.teacher.v, 1) if self.train_output else self.teacher.v
        return weights(self.teacher.w, 0), v

    def examples(self, batch):
        return self.inputs(streams.fold(self.keys.examples, batch), self.m)

    def test_examples(self, time, count):
        return self.inputs(streams.fold(self.keys.test, time), count)

    def inputs(self, key, count):
        """Tile by tile, example by example: byte i of a tile's 64 bits is its input i, bit e of it its example e."""
        x = np.empty((count, self.N), np.int64)
        for first in range(0, self.N, 8):
            for begin in range(0, count, 8):
                tile = np.array([first // 8], np.uint32), np.array([begin // 8], np.uint32)
                low, high = (int(half[0]) for half in streams.threefry(key, *tile))
                for i in range(first, min(first + 8, self.N)):
                    byte = (low | high << 32) >> 8 * (i - first) & 0xFF
                    for e in range(begin, min(begin + 8, count)):
                        x[e, i] = 1 - 2 * (byte >> e - begin & 1)
        return x

    def order(self, sweep):
        if self.sequential:
            t = self.teacher
            return orders.sequential_order(t.output_sources, self.shape.d, self.shape.K, self.train_output)
        return random_order(self.order_key, sweep, self.shape.proposals)

    def uniforms(self, sweep):
        position = np.arange(self.shape.proposals, dtype=np.uint32)
        return uniform(streams.threefry(self.keys.acceptance, np.full_like(position, sweep), position)[0])

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
