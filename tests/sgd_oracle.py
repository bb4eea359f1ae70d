"""A plain NumPy simulation of gradient descent on two-layer networks, one student at a time, in float64.

Written from the definitions alone: every network is a pair of full matrices, (K, N) and (M, K), with zeros
where there is no link. Nothing of the kernel is used; inputs, noise and initial weights are handed in.
"""

import math
from dataclasses import dataclass, field

import numpy as np

erf = np.vectorize(math.erf)
VALUE = {
    "tanh": np.tanh,
    "erf": lambda z: erf(z / math.sqrt(2)),
    "relu": lambda z: np.where(z > 0, z, 0.0),
    "linear": lambda z: z,
}
SLOPE = {
    "tanh": lambda z: 1 / np.cosh(z) ** 2,
    "erf": lambda z: math.sqrt(2 / math.pi) * np.exp(-(z**2) / 2),
    "relu": lambda z: np.where(z > 0, 1.0, 0.0),
    "linear": np.ones_like,
}


def matrix(weights, sources, columns):
    """Weights (rows, links) at their sources as a full matrix."""
    full = np.zeros((len(weights), columns))
    np.put_along_axis(full, np.asarray(sources), np.asarray(weights, float), axis=1)
    return full


@dataclass
class Network:
    """y = b V φ(a W x); masks tell which weights exist, `fixed` that V is not trained."""

    W: np.ndarray
    V: np.ndarray
    a: float
    b: float
    activation: str
    w_mask: np.ndarray | None = None
    v_mask: np.ndarray | None = None
    fixed: bool = False

    def answers(self, x):
        return self.b * VALUE[self.activation](self.a * x @ self.W.T) @ self.V.T

    def gradients(self, x, labels):
        """Of the mean over the batch of half the squared error, by W and V."""
        z = self.a * x @ self.W.T
        h = VALUE[self.activation](z)
        wrong = (self.b * h @ self.V.T - labels) / len(x)
        by_V = self.b * wrong.T @ h
        by_z = self.b * (wrong @ self.V) * SLOPE[self.activation](z)
        by_W = self.a * by_z.T @ x
        if self.w_mask is not None:
            by_W = by_W * self.w_mask
        if self.v_mask is not None:
            by_V = by_V * self.v_mask
        return by_W, np.zeros_like(by_V) if self.fixed else by_V


@dataclass
class Descent:
    """By "sgd", with momentum, or by "adam", for a list of matrices."""

    name: str = "sgd"
    momentum: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    steps: int = 0
    first: list = field(default_factory=list)
    second: list = field(default_factory=list)

    def directions(self, gradients):
        self.steps += 1
        if not self.first:
            self.first = [np.zeros_like(g) for g in gradients]
            self.second = [np.zeros_like(g) for g in gradients]
        if self.name == "sgd":
            self.first = [self.momentum * v + g for v, g in zip(self.first, gradients, strict=True)]
            return self.first
        self.first = [
            self.beta1 * v + (1 - self.beta1) * g for v, g in zip(self.first, gradients, strict=True)
        ]
        self.second = [
            self.beta2 * s + (1 - self.beta2) * g**2 for s, g in zip(self.second, gradients, strict=True)
        ]
        return [
            (v / (1 - self.beta1**self.steps)) / (np.sqrt(s / (1 - self.beta2**self.steps)) + self.epsilon)
            for v, s in zip(self.first, self.second, strict=True)
        ]


def train(student, teacher, descent, rates, batches):
    """Train a student in place; each batch is (x, noise of the labels)."""
    for x, noise in batches:
        labels = teacher.answers(x) + noise
        by_W, by_V = descent.directions(student.gradients(x, labels))
        student.W = student.W - rates[0] * by_W
        if not student.fixed:
            student.V = student.V - rates[1] * by_V


def error(student, teacher, x):
    """Mean squared error over the variance of the teacher's answers, output by output."""
    y = teacher.answers(x)
    return ((student.answers(x) - y) ** 2).mean() / y.var(axis=0, ddof=1).mean()


def overlap(student, teacher):
    """Mean over the teacher's hidden units of the best |cosine| with one of the student's."""
    best = []
    for own in teacher.W:
        cosines = [abs(own @ w) / np.linalg.norm(own) / np.linalg.norm(w) for w in student.W]
        best.append(max(cosines))
    return float(np.mean(best))
