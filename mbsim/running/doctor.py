"""Is this machine fit to run mbsim? What is installed, what it runs on, and whether it computes right.

The checks compare numbers with answers known beforehand, on the devices that a run would use, since compilers
and drivers have given wrong ones without a word.
"""

import importlib.metadata
import os
import platform
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import NamedTuple

import numpy as np

from mbsim.engines.settings import pinned

WRONG_VERSIONS = {
    "0.10.2": "gives wrong float32 products on CPU (jax issue 39103)",
    "0.11.0": "gives wrong float32 products on GPU (jax issue 39103)",
    "0.11.1": "rewrites whole buffers for small updates in loops (jax issue 40101)",
}
ROWS = 40_000  # enough for a compiler to cut the work into blocks, where issue 39103 went wrong


class Check(NamedTuple):
    """What was checked, what is wrong with it and what to do (empty if nothing), and how long it took beside the
    others.
    """

    name: str
    problem: str
    seconds: float


@pinned()
def examine(say: Callable[[str], None]) -> bool:
    """Say facts and checks, a line each; returns whether all is well."""
    for name, value in facts():
        say(f"{name:<10} {value}")
    for hint in hints():
        say(f"note: {hint}")
    well = True
    for check in checks():
        well = well and not check.problem
        say(f"{'FAIL' if check.problem else 'ok  '}  {check.name} ({check.seconds:.1f} s)")
        if check.problem:
            say(f"      {check.problem}")
    say(f"note: not asked here, but by a run before it trusts them: {left_out()}")
    say(
        "this machine is fit to run mbsim" if well else "do not trust results of this machine: see FAIL above"
    )
    return well


def left_out() -> str:
    """Kernels whose known answers `checks` leaves to the runs that need them, since each takes seconds to compile."""
    import jax

    heat_bath = "kernels of heat bath"
    return heat_bath if jax.default_backend() == "cpu" else f"{heat_bath}, and those for the CPU"


def facts() -> Iterator[tuple[str, str]]:
    """Names and values: versions, then the devices, which may start JAX."""
    from mbsim.data import provenance
    from mbsim.plan.memory import host_memory
    from mbsim.sampling.examples import IN_TILES
    from mbsim.sampling.streams import GENERATOR

    yield "python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    commit = provenance.git_commit()
    yield "mbsim", version("mbsim") + (f" (commit {commit})" if commit else "")
    for package in ("jax", "jaxlib", "numpy", "xarray"):
        yield package, version(package)
    yield "memory", gib(host_memory())
    yield "devices", device_line()
    yield "generator", f"{IN_TILES} (±1 weights), {GENERATOR} (real)"


def version(package: str) -> str:
    """The installed version of a package."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def gib(size: int) -> str:
    """Bytes in GiB."""
    return f"{size / 2**30:.1f} GiB"


def device_line() -> str:
    """The devices that a run uses, such as "2 x cpu" or "1 x NVIDIA H100 (58.9 GiB)"; may start JAX to see."""
    from mbsim.engines import devices

    if devices.asleep():
        return f"{devices.cores()} x cpu"
    import jax

    devices.use_all_cores()
    names: list[str] = []
    for device in jax.local_devices():
        stats = device.memory_stats() if device.platform != "cpu" else None
        memory = f" ({gib(stats['bytes_limit'])})" if stats and "bytes_limit" in stats else ""
        names.append(device.device_kind + memory)
    return ", ".join(f"{names.count(name)} x {name}" for name in dict.fromkeys(names))


def hints() -> Iterator[str]:
    """What is not wrong but may not be meant."""
    import jax

    from mbsim.engines.devices import NVIDIA

    if os.path.exists(NVIDIA) and jax.default_backend() == "cpu":
        yield "an NVIDIA GPU is there, but this jax runs on the CPU: pip install 'jax[cuda13]', or cuda12"


def checks() -> Iterator[Check]:
    """Run the checks; what a check raises is its problem."""
    import jax

    from mbsim.engines.batched import known_answers as sgd_selfcheck
    from mbsim.engines.drawing import compiles
    from mbsim.engines.known_answers import SUMS

    engine = "registers" if jax.default_backend() == "cpu" else "pallas"

    remedy = f"results would be wrong; use another version of jax ({wanted_jax()}), driver or device"

    compiling = Lock()

    def wrong(kind: str) -> str:
        if engine == "registers":
            if not compiles():
                return "numba is switched off, and runs are slow: unset NUMBA_DISABLE_JIT"
            with compiling:  # for all kinds together, by whoever comes first
                compile_all()
        return "" if right(kind, engine) else remedy

    known: dict[str, Callable[[], str]] = {
        "version of jax": lambda: version_problem(version("jax")),
        "known answers of the vector kernel": lambda: wrong("vector"),
        "known answers of the scalar kernel": lambda: wrong("scalar"),
        **({} if engine == "pallas" else {f"known answers of the {SUMS} kernel": lambda: wrong(SUMS)}),
        "known answers of dense gradient descent": lambda: "" if sgd_selfcheck.passes("dense") else remedy,
        "known answers of sparse gradient descent": lambda: "" if sgd_selfcheck.passes("sparse") else remedy,
        "sums of products (jax issue 39103)": lambda: (
            f"{sums} of {ROWS}: {remedy}" if (sums := wrong_sums()) else ""
        ),
    }

    @pinned()  # settings of JAX are those of a thread
    def checked(name: str) -> Check:
        start = time.perf_counter()
        try:
            problem = known[name]()
        except Exception as error:
            lines = str(error).strip().splitlines() or [""]
            problem = f"{type(error).__name__}: {lines[0]}"
        return Check(name, problem, time.perf_counter() - start)

    pool = ThreadPoolExecutor(len(known))  # side by side: nearly all their time goes into compiling
    try:
        yield from pool.map(checked, known)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def compile_all() -> None:
    """Compile what the known answers of the register engine need, on all cores."""
    from mbsim.engines import beforehand, known_answers

    tasks = [known_answers.task(*case) for case in known_answers.DIGESTS]
    beforehand.compile_all(lambda: [need for task in tasks for need in beforehand.needs_of(task)])


def right(kind: str, engine: str) -> bool:
    """Whether all known answers of the kernels of a kind ("vector", "scalar") are right here."""
    from mbsim.engines import known_answers as selfcheck

    cases = [case for case in selfcheck.DIGESTS if case[0] == kind]
    # numba compiles one function at a time, programs for accelerators are compiled side by side
    with ThreadPoolExecutor(1 if engine == "registers" else len(cases)) as pool:
        return all(list(pool.map(selfcheck.passes, *zip(*cases, strict=True), [engine] * len(cases))))


def version_problem(jax_version: str) -> str:
    """What is wrong with a version of jax, and what to do; empty if nothing is known."""
    why = WRONG_VERSIONS.get(jax_version)
    return f"jax {jax_version} {why}: pip install '{wanted_jax()}'" if why else ""


def wanted_jax() -> str:
    """What mbsim requires of jax, as pip understands it."""
    try:
        requirements = importlib.metadata.requires("mbsim") or []
    except importlib.metadata.PackageNotFoundError:
        requirements = []
    return next((text.replace(" ", "") for text in requirements if text.startswith("jax")), "jax")


def wrong_sums() -> int:
    """How many of `ROWS` vmapped products followed by a sum are wrong, over all devices.

    The numbers are integers so small that every format, bfloat16 included, holds them and all sums are exact.
    """
    import jax
    import jax.numpy as jnp

    rng = np.random.default_rng(39103)
    rows, matrix = (rng.integers(-3, 4, shape).astype(np.float32) for shape in ((ROWS, 3), (3, 3)))
    expected = ((rows.astype(int) @ matrix.T.astype(int)) ** 2).sum(axis=1)
    compiled = jax.jit(jax.vmap(lambda matrix, row: jnp.sum((matrix @ row) ** 2), in_axes=(None, 0)))
    wrong = 0
    for device in jax.local_devices():
        found = compiled(*jax.device_put((matrix, rows), device))
        wrong += int((np.asarray(found) != expected).sum())
    return wrong
