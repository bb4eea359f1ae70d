"""What the tests of gradient descent share: one student trained by the engine, and its random numbers for the
oracle.
"""

import copy
import functools

import jax
import jax.numpy as jnp
import numpy as np
import sgd_oracle

from mbsim.engines.batched import ensemble as sgd_ensemble
from mbsim.engines.batched import inputs, sgd
from mbsim.engines.batched.setting import Context, tables_of
from mbsim.engines.mesh import student_mesh
from mbsim.engines.networks import stacked
from mbsim.physics import teachers
from mbsim.physics.problem import Teacher
from mbsim.sampling.streams import Key, fold

SEED = 23


class Case:
    """Teachers, one by default, and one kind of student; sizes as in the design, keywords as of `Sgd`."""

    def __init__(
        self,
        N=12,
        K=12,
        M=12,
        d=3,
        *,
        dense=True,
        train_output=True,
        activation="tanh",
        ntk=False,
        student_hidden=None,
        normal_weights=False,
        test_size=300,
        numbers=(0,),
        **dynamics,
    ):
        self.N, self.test_size, self.numbers = N, test_size, np.array(numbers)
        sizes = N, K, M, d, train_output, normal_weights, SEED
        self.teachers = stacked([teachers.draw_real_teacher(*sizes, number) for number in numbers])
        self.shape = sgd_ensemble.shape_of(
            self.teachers,
            N,
            dense=dense,
            train_output=train_output,
            activation=activation,
            ntk=ntk,
            student_hidden=student_hidden,
        )
        self.dynamics = sgd_ensemble.Sgd(**dynamics)
        self.seed = SEED

    @property
    def teacher(self):
        """The first teacher."""
        return Teacher(*(part[0] for part in self.teachers))

    @property
    def tables(self):
        """Of the first teacher."""
        return jax.tree.map(lambda table: jnp.asarray(table[0]), tables_of(self.teachers, self.shape))

    def set_teacher(self, teacher, seed):
        """Another teacher of the same shape, and another seed."""
        self.teachers, self.seed = stacked([teacher]), seed

    def of_teacher(self, place):
        """The same with one of the teachers alone."""
        alone = copy.copy(self)
        alone.teachers = Teacher(*(part[place : place + 1] for part in self.teachers))
        alone.numbers = self.numbers[place : place + 1]
        return alone

    def train(self, labels, times, devices=1, students_per_device=None):
        return sgd_ensemble.train(
            self.teachers,
            self.numbers,
            self.shape,
            labels,
            np.asarray(times),
            self.dynamics,
            seed=self.seed,
            test_size=self.test_size,
            mesh=student_mesh(jax.devices()[:devices]),
            students_per_device=students_per_device,
        )

    def student(self, m, lr, replica=0):
        one = sgd_ensemble.SgdLabels(*(np.array([value]) for value in (0, m, replica, lr)))
        given = dict(seed=self.seed, numbers=self.numbers)
        students = sgd_ensemble.students_of(one, self.dynamics, self.shape, **given)
        return jax.tree.map(lambda column: jnp.asarray(column)[0], students)

    def setting(self, m):
        return sgd_ensemble.setting_of(self.shape, self.dynamics, m, self.test_size)

    # The same, as full matrices

    def as_network(self, w, v):
        """Trained weights, as the kernel keeps them, as the oracle's student."""
        shape, teacher = self.shape, self.teacher
        w_mask = v_mask = None
        if shape.dense:
            W = np.asarray(w, float).T
        else:
            W = sgd_oracle.matrix(w, teacher.hidden_sources, shape.N)
            w_mask = sgd_oracle.matrix(np.ones_like(teacher.w), teacher.hidden_sources, shape.N)
        if not shape.dense and not shape.scalar:
            v_mask = sgd_oracle.matrix(np.ones_like(teacher.v), teacher.output_sources, shape.K)
        if v is None:
            V = np.ones((shape.M, shape.student_hidden)) if v_mask is None else v_mask
        elif v_mask is None:
            V = np.asarray(v, float).T
        else:
            V = sgd_oracle.matrix(v, teacher.output_sources, shape.K)
        links_in = (shape.N, shape.student_hidden) if shape.dense else (shape.d, teacher.v.shape[1])
        a, b = (1 / np.sqrt(n) if shape.ntk else 1.0 for n in links_in)
        if v is None:
            b = 1 / np.sqrt(teacher.v.shape[1])
        return sgd_oracle.Network(W, V, a, b, shape.activation, w_mask, v_mask, fixed=v is None)

    def as_teacher(self):
        teacher, shape = self.teacher, self.shape
        return sgd_oracle.Network(
            sgd_oracle.matrix(teacher.w, teacher.hidden_sources, shape.N),
            sgd_oracle.matrix(teacher.v, teacher.output_sources, shape.K),
            teacher.w.shape[1] ** -0.5,
            teacher.v.shape[1] ** -0.5,
            shape.activation,
        )

    def initial(self, student):
        weights = jax.jit(sgd.init, static_argnums=0)(self.setting(int(student.m)), student).weights
        return self.as_network(*weights)

    # The student's random numbers

    def examples(self, student, step):
        """Inputs (m, N) of the batch of a step, and what the labels get added to them, (m, M)."""
        x, noise = self._draw(self.setting(int(student.m)), int(student.m), student, jnp.uint32(step))
        return np.asarray(x, float), self.dynamics.noise * np.asarray(noise, float)

    @functools.partial(jax.jit, static_argnums=(0, 1, 2))
    def _draw(self, setting, m, student, step):
        slot = jnp.arange(m, dtype=jnp.uint32)
        context = Context(setting, self.tables, None)
        of = sgd.labels_of(context, student, jnp.broadcast_to(step, slot.shape), slot)
        x, _ = inputs.inputs(setting.inputs, of.inputs, of.counter, self.N)
        return x, inputs.normals(of.noise, of.counter, self.shape.M)

    def test_examples(self, student, time):
        return np.asarray(self._draw_test(student, jnp.int32(time)), float)

    @functools.partial(jax.jit, static_argnums=0)
    def _draw_test(self, student, time):
        key = fold(student.keys.test, time)
        index = jnp.arange(self.test_size, dtype=jnp.uint32)
        each = Key(*(jnp.broadcast_to(half, index.shape) for half in key))
        return inputs.inputs(self.dynamics.inputs, each, index, self.N)[0]


def labels(m, replicas=1, lr=0.1):
    """Students of the first teacher, for all m and replicas; lr is broadcast over them."""
    m = np.repeat(np.atleast_1d(m), replicas)
    replica = np.tile(np.arange(replicas), len(m) // replicas)
    return sgd_ensemble.SgdLabels(0 * m, m, replica, np.broadcast_to(np.asarray(lr, float), m.shape).copy())
