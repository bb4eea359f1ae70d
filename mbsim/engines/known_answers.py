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
from contextlib import nullcontext
from contextvars import copy_context
from typing import Any

import numpy as np

from mbsim.engines.ensemble import Dynamics, StudentLabels, Task, task_of, train
from mbsim.engines.networks import stacked
from mbsim.engines.settings import pinned
from mbsim.physics.problem import Teacher
from mbsim.physics.rules import HEAT_BATH, METROPOLIS

SEED = 2305
SIZE = 9
SUMS = "vector of sums"
"""A kind of kernel: N outputs, and d = 5. On CPU it is another than that of d = 3, which keeps no sums."""
READ = {"vector": (0, 1, 3), "scalar": (0, 1, 3), SUMS: (0, 1, 3, 4, 7)}  # of unit 0; of unit k, k further on
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
    ("vector", True, "random"): "e561555d863488dd291f0c506fe6a7c0dfe81031afaf498afdd8f6dc9c62c207",
    ("scalar", True, "random"): "667a3667f3bbe9eceed343d6018f324f190b69bc4db8f4e08878ec443b3de4ae",
    ("vector", False, "random"): "b2c750fb3fc7b89ca9cfa3a3317e9dd31f51973d59b284655691477f97bed85b",
    ("scalar", False, "random"): "2e58c335860c4ab7b646329ddd432b47eeb68901950297756663b7bc4e2d6bec",
    ("vector", True, "sequential"): "1592913b4437790bb375534e381f71f777df6ae4c3186951ec02e4656497ff89",
    ("scalar", True, "sequential"): "66cfe7879bd8fa1fcdc89fcdeb8bbf3c4e6fcf5c232e665b33bb3864bce53651",
    ("vector", False, "sequential"): "99032f3deef3705ff5baec69430c13a0c4aa5eae34fdbbc2bf5010cae71ec028",
    (SUMS, True, "random"): "b670809a92e0b1ec1d57ef9cd4a21ae7178ba5e631032837d4192bbd174b13c1",
    (SUMS, False, "random"): "1d304b03f457fa41630c9ecbc825079a428f4341f9b6090a4009b71d10123cad",
    (SUMS, True, "sequential"): "09391c31f58ac5e75c7bda9fc46fc9314e5f55b7591123ea9e694f077ec61216",
    (SUMS, False, "sequential"): "a8c459df9fc6dbdb03c42599deb6a809754c62f37787d99fb588e98708c0058b",
    ("scalar", False, "sequential"): "bf2505ce9034ae13f2a8648177411272c3b21aa74e0da6cdc13a9edb509025ae",
}

ANY_LAW = {  # heat bath
    ("vector", "random"): "c2a79407b33c27fcd07c43d6432305e10cece53d232ce546dfd1e02afbdb457e",
    ("scalar", "random"): "9adc7345280dc78a9eff74dd8115b0ae57d960180268f649cb57e95117277856",
    (SUMS, "random"): "39b11d2df4916cd1f8a986d7bab23ef3381b4b3e3692f7618adc1e7f9ad72558",
    (SUMS, "sequential"): "09e1cb5d5766e606038ec855d25b9a2e75ce7f57577dd51034ad66115df9ff26",
    ("vector", "sequential"): "78dd6dff36d161ea2f63fabfdc0731cbd759c0ae7abcc4eb73b81a4c19e174e2",
    ("scalar", "sequential"): "2254c04f287ebb15d7e212d91677cdd6b58e4a8fe26505de821f92cb8bb23275",
}


def labels(thermal: bool) -> StudentLabels:
    """The students to train: all, or, without a temperature, those that have none."""
    index = np.flatnonzero((LABELS.temperature == 0) | thermal)
    return StudentLabels(*(column[index] for column in LABELS))


def teacher(kind: str) -> Teacher:
    """A fixed teacher, no random numbers: hidden unit k reads k, k + 1, k + 3 (`READ`); so do outputs, or one
    output reads all.
    """
    unit = np.arange(SIZE, dtype=np.int32)[:, None]
    sources = (unit + np.array(READ[kind], np.int32)) % SIZE
    w = np.where((unit * 5 + np.arange(len(READ[kind])) * 7) % 4 < 2, 1, -1).astype(np.int8)
    if kind == "scalar":
        return Teacher(sources, unit.T.copy(), w, np.ones((1, SIZE), np.int8))
    return Teacher(sources, sources.copy(), w, -w[::-1])


def digest(w: np.ndarray, v: np.ndarray, accepted: np.ndarray) -> str:
    """SHA-256 over final weights (students, ...) and accepted proposals per sweep (students, SWEEPS), as
    little-endian int32.
    """
    data = b"".join(np.ascontiguousarray(x).astype("<i4").tobytes() for x in (w, v, accepted))
    return hashlib.sha256(data).hexdigest()


def _asked(
    kind: str, students: StudentLabels, order: str, rule: str, beside: bool = False
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of `ensemble.train` for some students; as `run`."""
    taught, count = teacher(kind), len(students.m)
    if beside:
        both = (np.tile(column, 2) for column in students)
        students = StudentLabels(*both)._replace(teacher=np.repeat([0, 1], count))
    teachers = stacked([taught._replace(w=-taught.w[::-1]), taught] if beside else [taught])
    return (teachers, np.zeros(1 + beside, int), students, np.arange(SWEEPS + 1)), {
        "seed": SEED,
        "N": SIZE,
        "train_output": kind != "scalar",
        "dynamics": Dynamics(order, rule=rule),
        "test_size": 32,
    }


def task(kind: str, thermal: bool, order: str, rule: str = METROPOLIS.name) -> Task:
    """What `passes` asks the engine for CPUs."""
    if rule != METROPOLIS.name:
        thermal, rule = True, HEAT_BATH.name
    given, named = _asked(kind, labels(thermal), order, rule)
    return task_of(*given, **named)


def run(
    kind: str,
    thermal: bool,
    order: str,
    engine: str = "registers",
    rule: str = METROPOLIS.name,
    beside: bool = False,
) -> str:
    """The digest that this device gives for "vector", `SUMS` or "scalar", with the program for T > 0 or the greedy
    one, in "random" or "sequential" order; `engine` as `ensemble.train`. beside: whether the students share their
    launch with those of another teacher, who comes first.
    """
    students = labels(thermal)
    # Kernels of accelerators are others where students have fewer words; trained together, they would share one.
    apart = (
        np.digitize(students.m, WIDTHS, right=True) if engine == "pallas" else np.zeros(len(students.m), int)
    )
    places = [np.flatnonzero(apart == width) for width in np.unique(apart)]

    def trained(index: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        some = StudentLabels(*(column[index] for column in students))
        count = len(index)
        given, named = _asked(kind, some, order, rule, beside)
        # Settings of JAX are those of a thread.
        with pinned() if engine == "pallas" else nullcontext():
            records, weights = train(*given, **named, engine=engine)
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
