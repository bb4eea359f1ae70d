"""Known answers of the compiled kernels, for the device at hand.

A compiler may give wrong numbers without a word (jax issues 39103 and 40101 did). Before a run trusts a
device, the kernel that it needs trains a few small students there, and the digest of all their weights and
counts must be the one below. Their batches are small: students of accelerators have a word or part of one. The tests
go through the others, and so does `recomputed.py` where an accelerator trains. The digests were made by a plain
NumPy simulation of the same dynamics on the same random numbers, one student at a time (`tests/test_selfcheck.py`
makes them again).
"""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import numpy as np

from mbsim.engines.ensemble import Dynamics, StudentLabels, train
from mbsim.engines.networks import stacked
from mbsim.engines.settings import pinned
from mbsim.physics.problem import Teacher
from mbsim.physics.rules import HEAT_BATH, METROPOLIS

SEED = 2305
SIZE = 9
DEGREE = 3
SWEEPS = 4
WIDTHS = 8, 16  # examples up to which a word of an accelerator holds four students, two
LABELS = StudentLabels(
    teacher=np.zeros(6, int),
    m=np.array([1, 5, 12, 5, 12, 20]),
    replica=np.array([0, 0, 0, 1, 1, 1]),
    init_overlap=np.array([0.0, 0.0, 0.5, 0.0, 0.0, 0.0]),
    temperature=np.array([0.0, 0.0, 0.0, 0.0, 0.5, 1.5]),
)
DIGESTS = {
    ("vector", True, "random"): "238126c5aaf6354e102904cfbc960e6970108125898eedc708770f97451e8807",
    ("scalar", True, "random"): "de319a98fc6244ceb69c2d75449481ec2a819fbe510e6a6117224935aee0c12a",
    ("vector", False, "random"): "6b9c9f950ad8d0acc66d271d46a0b3c06f85d289fd6a917ba26921e24163cce4",
    ("scalar", False, "random"): "992142f8cbc97a3e855b3a09c211ec76c0787b28be22dd3a59c488dc125a9e1a",
    ("vector", True, "sequential"): "e80361f1ec8bef6052baa90aff5c90bd105669071ddf73af1df2d1df6bd3fb49",
    ("scalar", True, "sequential"): "e166b757a44371eaef4c777919de2bca37a3388286b3c020df12f6231f6888c8",
    ("vector", False, "sequential"): "b7e0bc3ae9fdf5b684ad13834f8965d2b95d5cdaee5d4921da229345d876c0d4",
    ("scalar", False, "sequential"): "dbf09d37a4e0fc68f192cda7e9bb88360a5ca5f1965d98db4ffc8d8724a32dc0",
}

ANY_LAW = {  # heat bath
    ("vector", "random"): "c701a070ded83f58eda8a8757d66f5dc757e0310d9cf5911cc4f83954d366fa9",
    ("scalar", "random"): "f1a904f6e1a2d1ad0f283a062c70400597161ee9c654bf30ddb4b17f055b236c",
    ("vector", "sequential"): "f7cd4db11253602d1752c59f68b2b3291dc67182296cca84e6fece9a1c0ebb08",
    ("scalar", "sequential"): "b71a389ecaf83753c6717286c4a2ca61e9956c32385e217ee6306ace2c6e0b6d",
}


def labels(thermal: bool) -> StudentLabels:
    """The students to train: all, or, without a temperature, those that have none."""
    index = np.flatnonzero((LABELS.temperature == 0) | thermal)
    return StudentLabels(*(column[index] for column in LABELS))


def teacher(kind: str) -> Teacher:
    """A fixed teacher, no random numbers: hidden unit k reads k, k + 1, k + 3; so do outputs, or one output
    reads all.
    """
    unit = np.arange(SIZE, dtype=np.int32)[:, None]
    sources = (unit + np.array([0, 1, 3], np.int32)) % SIZE
    w = np.where((unit * 5 + np.arange(3) * 7) % 4 < 2, 1, -1).astype(np.int8)
    if kind == "scalar":
        return Teacher(sources, unit.T.copy(), w, np.ones((1, SIZE), np.int8))
    return Teacher(sources, sources.copy(), w, -w[::-1])


def digest(w: np.ndarray, v: np.ndarray, accepted: np.ndarray) -> str:
    """SHA-256 over final weights (students, ...) and accepted proposals per sweep (students, SWEEPS), as
    little-endian int32.
    """
    data = b"".join(np.ascontiguousarray(x).astype("<i4").tobytes() for x in (w, v, accepted))
    return hashlib.sha256(data).hexdigest()


def run(
    kind: str,
    thermal: bool,
    order: str,
    engine: str = "registers",
    rule: str = METROPOLIS.name,
    beside: bool = False,
) -> str:
    """The digest that this device gives for "vector" or "scalar", with the program for T > 0 or the greedy
    one, in "random" or "sequential" order; `engine` as `ensemble.train`. beside: whether the students share their
    launch with those of another teacher, who comes first.
    """
    taught, students = teacher(kind), labels(thermal)
    # Kernels of accelerators are others where students have fewer words; trained together, they would share one.
    apart = (
        np.digitize(students.m, WIDTHS, right=True) if engine == "pallas" else np.zeros(len(students.m), int)
    )
    places = [np.flatnonzero(apart == width) for width in np.unique(apart)]

    @pinned()  # settings of JAX are those of a thread
    def trained(index: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        some = StudentLabels(*(column[index] for column in students))
        count = len(index)
        if beside:
            both = (np.tile(column, 2) for column in some)
            some = StudentLabels(*both)._replace(teacher=np.repeat([0, 1], count))
        records, weights = train(
            stacked([taught._replace(w=-taught.w[::-1]), taught] if beside else [taught]),
            np.zeros(1 + beside, int),
            some,
            np.arange(SWEEPS + 1),
            seed=SEED,
            N=SIZE,
            train_output=kind == "vector",
            dynamics=Dynamics(order, rule=rule),
            test_size=32,
            engine=engine,
        )
        return weights.w[-count:], weights.v[-count:], records.accepted[-count:, 1:]

    order_of_all = np.argsort(np.concatenate(places))
    with ThreadPoolExecutor(len(places)) as pool:  # most of the time goes into compiling, and cores are idle
        parts = list(pool.map(lambda index: copy_context().run(trained, index), places))
    return digest(*(np.concatenate(arrays)[order_of_all] for arrays in zip(*parts, strict=True)))


def passes(
    kind: str,
    thermal: bool,
    order: str,
    engine: str = "registers",
    rule: str = METROPOLIS.name,
) -> bool:
    """Whether the device gives the known answer. All rules but Metropolis share a program, which answers for heat
    bath, at all temperatures. Kernels of accelerators have another program for launches of many teachers.
    """
    if rule != METROPOLIS.name:
        return run(kind, True, order, engine, HEAT_BATH.name) == ANY_LAW[kind, order]

    def right(beside: bool) -> bool:
        return run(kind, thermal, order, engine, beside=beside) == DIGESTS[kind, thermal, order]

    if engine != "pallas":
        return right(False)
    with ThreadPoolExecutor(2) as pool:
        return all(list(pool.map(right, (False, True))))
